import { UnavailableError } from './errors.ts';

export type Answered = { body: Buffer; headers: Record<string, unknown> };

type Waiter = { resolve: (answer: Answered) => void; reject: (error: Error) => void };

/** Questions that wait for their one answer, by message id. */
export class Questions {
  #waiting = new Map<string, Waiter>();

  /**
   * Sends a question and waits for its answer. Errors: `no_answer` when there is none in time, and those of `send` and
   * of {@link failAll}.
   */
  async ask(id: string, timeoutMs: number, late: AbortSignal, send: () => Promise<void>): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const silence = `no dispatcher answered within ${timeoutMs} ms; is one running?`;
    const fail = () => reject(new UnavailableError('no_answer', silence));
    late.addEventListener('abort', fail, { once: true });
    if (late.aborted) fail();
    this.#waiting.set(id, { resolve, reject });
    promise.catch(() => undefined);
    try {
      await send();
      return await promise;
    } finally {
      this.#waiting.delete(id);
      late.removeEventListener('abort', fail);
    }
  }

  answered(id: string, answer: Answered): void {
    this.#waiting.get(id)?.resolve(answer);
  }

  failAll(error: UnavailableError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
