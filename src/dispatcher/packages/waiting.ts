/** What all hosts that wait may ask together, one call in so many ms. */
const MS_A_HOST = 5;
const LEAST_MS = 500;
const MOST_MS = 60_000;
/** Hosts wait for up to half as long again as they are told, so that they do not come all at once. */
const LATEST = 1.5;

/**
 * The hosts that this dispatcher has turned away lately, and when each is to ask again: the more they are, the later,
 * so that all of them together ask about 200 times a second at most. Pure; the clock is passed in, in ms.
 *
 * With several dispatchers each sees a host only now and then, and so counts a part of them: with two, a half to three
 * quarters. They ask that much more often together.
 */
export class Waiting {
  /** Until when a host counts, though it is not seen again. */
  #until = new Map<string, number>();
  #sweepAt = 0;

  /** How many wait. */
  get size(): number {
    return this.#until.size;
  }

  /** Turns a host away; the answer is when it is to ask again, in ms. */
  turnAway(host: string, nowMs: number): number {
    this.#sweep(nowMs);
    this.#until.set(host, Number.POSITIVE_INFINITY); // it counts itself
    const retryMs = Math.min(MOST_MS, Math.max(LEAST_MS, this.#until.size * MS_A_HOST));
    this.#until.set(host, nowMs + retryMs * LATEST + LEAST_MS);
    return retryMs;
  }

  /** It waits no longer. */
  admit(host: string): void {
    this.#until.delete(host);
  }

  /** Not at each call: there may be tens of thousands. */
  #sweep(nowMs: number): void {
    if (nowMs < this.#sweepAt) return;
    this.#sweepAt = nowMs + LEAST_MS;
    for (const [host, until] of this.#until) if (until < nowMs) this.#until.delete(host);
  }
}
