/** How much time without a delivery may be made up for afterwards. */
const CATCH_UP_MS = 500;

/**
 * Keeps a download to so many bytes a second: what has arrived is acknowledged only once it has been paid for with
 * time, and the broker sends no more than the prefetch beyond that. Pure; the clock is passed in, in ms.
 */
export class Pace {
  #bytesPerSecond: number;
  #paidAt: number | undefined;

  /** `undefined` or 0: as fast as it comes. */
  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerSecond = bytesPerSecond ?? 0;
  }

  /** The time that so many bytes take, in ms. */
  costMs(bytes: number): number {
    return this.#bytesPerSecond > 0 ? (bytes * 1000) / this.#bytesPerSecond : 0;
  }

  /** How long to wait, in ms, until these bytes and all that came before them are paid for. */
  pay(bytes: number, nowMs: number): number {
    this.#paidAt = Math.max(this.#paidAt ?? nowMs, nowMs - CATCH_UP_MS) + this.costMs(bytes);
    return Math.max(0, this.#paidAt - nowMs);
  }

  /** No more of them on their way than one second's worth, so that the first second is not much above the rest. */
  prefetch(most: number, chunkBytes: number): number {
    if (this.#bytesPerSecond === 0) return most;
    return Math.min(most, Math.max(1, Math.floor(this.#bytesPerSecond / chunkBytes)));
  }
}

/** The lower of two limits, of which 0 and `undefined` are none. */
export function lowerRate(one: number | undefined, other: number | undefined): number {
  const limits = [one, other].filter((rate) => rate !== undefined && rate > 0) as number[];
  return limits.length > 0 ? Math.min(...limits) : 0;
}
