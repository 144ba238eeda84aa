/**
 * A year for root and targets. Less would make people bring out the offline keys more often than any of them is lost or
 * leaves; and what is never done is forgotten how to do. The targets are signed anew with each package; both can be
 * renewed at any time, and the dispatchers' log begins to remind weeks ahead.
 */
export const LIFE_DAYS = 365;

export const expiry = (days = LIFE_DAYS) => new Date(Date.now() + days * 86_400_000);
