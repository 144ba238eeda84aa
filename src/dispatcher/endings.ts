import { sleep } from '../lib/utils.ts';

/** How soon a job's end is noticed that another dispatcher has recorded. */
const LOOK_MS = 250;

/**
 * Whoever waits for the end of a job. One that this dispatcher has recorded is told at once; of the others it looks
 * now and then, since any dispatcher may record any result.
 */
export class Endings {
  #waiting = new Map<string, Set<() => void>>();

  /** Resolves when `ended` says so, or after `ms`. */
  async wait(job: string, ms: number, ended: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + ms;
    for (;;) {
      const rest = new AbortController();
      const told = this.#next(job, rest.signal); // before looking: an end in between must not be missed
      try {
        if ((await ended()) || performance.now() >= until) return;
        const pause = Math.min(LOOK_MS, Math.max(1, until - performance.now()));
        await Promise.race([told, sleep(pause, rest.signal).catch(() => undefined)]);
      } finally {
        rest.abort(new Error('done'));
      }
    }
  }

  /** These jobs may have ended. */
  tell(jobs: Iterable<string>): void {
    for (const job of jobs) for (const wake of this.#waiting.get(job) ?? []) wake();
  }

  #next(job: string, done: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(job) ?? new Set();
    this.#waiting.set(job, waiting.add(resolve));
    done.addEventListener('abort', () => {
      waiting.delete(resolve);
      if (waiting.size === 0 && this.#waiting.get(job) === waiting) this.#waiting.delete(job);
    });
    return promise;
  }
}
