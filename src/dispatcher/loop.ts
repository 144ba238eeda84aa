import { describe } from '../lib/errors.ts';
import type { Logger } from '../lib/logs.ts';
import { sleep } from '../lib/utils.ts';

/**
 * Runs `step` again and again, each time after `pauseMs` or a kick. An error is logged (the same one only once in a row)
 * and the loop goes on: a database or broker that is away stops nothing for good.
 */
export class Loop {
  #stop = new AbortController();
  #kick: (() => void) | undefined;
  #kicked = false;
  #running: Promise<void>;
  #name: string;
  #logger: Logger;

  constructor(name: string, logger: Logger, pauseMs: number, step: () => Promise<void>) {
    this.#name = name;
    this.#logger = logger;
    this.#running = this.#run(pauseMs, step);
  }

  /** There is work: do not wait for the pause to end. */
  kick(): void {
    this.#kicked = true;
    this.#kick?.();
  }

  /** Resolves when the step under way has ended; idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    await this.#running;
  }

  async #run(pauseMs: number, step: () => Promise<void>): Promise<void> {
    let last = '';
    while (!this.#stop.signal.aborted) {
      this.#kicked = false;
      try {
        await step();
        last = '';
      } catch (error) {
        const text = describe(error);
        if (text !== last)
          this.#logger.warn({ loop: this.#name, error: text }, 'a step failed; it is tried again');
        last = text;
      }
      await this.#pause(pauseMs);
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#kicked) return;
    const kicked = new Promise<void>((resolve) => {
      this.#kick = resolve;
    });
    const rest = new AbortController();
    await Promise.race([
      kicked,
      sleep(ms, AbortSignal.any([this.#stop.signal, rest.signal])).catch(() => undefined),
    ]);
    rest.abort(new Error('done'));
    this.#kick = undefined;
  }
}
