import { OPERATOR_PREFIX } from './topology.ts';

/** People and scripts: what they may do, and how the broker calls them. From the least role to the greatest. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type PersonRole = (typeof ROLES)[number];

/** No dot: it parts a user's name from that of an API token. */
export const USER_NAME = /^[a-z0-9_-]{1,60}$/;
export const TOKEN_NAME = /^[a-z0-9_-]{1,40}$/;
const LOGIN = new RegExp(
  `^${OPERATOR_PREFIX}(?<user>${bare(USER_NAME)})(?:[.](?<token>${bare(TOKEN_NAME)}))?$`,
);

/** The broker's user of a person, or that of one of their API tokens. */
export function loginOf(user: string, token?: string): string {
  return OPERATOR_PREFIX + (token === undefined ? user : `${user}.${token}`);
}

/** Whose login it is; undefined for one that we would never have made. */
export function ownerOf(login: string): { user: string; token: string | undefined } | undefined {
  const found = LOGIN.exec(login)?.groups;
  return found?.user === undefined ? undefined : { user: found.user, token: found.token };
}

/** The lesser of two roles: an API token never may more than its owner does now. */
export function lesserRole(a: PersonRole, b: PersonRole): PersonRole {
  return ROLES.indexOf(a) < ROLES.indexOf(b) ? a : b;
}

function bare(pattern: RegExp): string {
  return pattern.source.slice(1, -1);
}
