import { setTimeout as sleep } from 'node:timers/promises';

type UntilOptions = {
  deadlineMs?: number;
  pollMs?: number;
  /** Ends the waiting. */
  signal?: AbortSignal | undefined;
};

/** Waits until `look` returns something; fails at the deadline, saying what it waited for and what it saw last. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { deadlineMs = 60_000, pollMs = 100, signal }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs;
  let seen: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found) return found as NonNullable<T>;
      seen = found;
    } catch (error) {
      seen = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${deadlineMs / 1000} s in vain for: ${what}; last: ${String(seen)}`, {
        cause: seen,
      });
    }
    await sleep(pollMs, undefined, { signal });
  }
}
