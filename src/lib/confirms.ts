import type { UnavailableError } from './errors.ts';

/** `returned`: the broker has no queue for it, and nobody got it. */
export type PublishOutcome = 'confirmed' | 'returned';

type Waiter = { settle: (error?: Error) => void; returned: boolean };

/** Messages on their way to the broker, by message id; a return always comes before its confirm. */
export class Confirms {
  #waiting = new Map<string, Waiter[]>();

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Registers a message before `send` puts it on the wire. Resolves at the confirm; rejects when there is none in
   * time, or the connection ends, and then it is not known whether the broker has it.
   */
  wait(
    messageId: string,
    timeoutMs: number,
    late: () => Error,
    send: (done: (error?: Error) => void) => void,
  ): Promise<PublishOutcome> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { returned: false, settle: () => undefined };
      const timer = setTimeout(() => waiter.settle(late()), timeoutMs);
      waiter.settle = (error) => {
        clearTimeout(timer);
        this.#forget(messageId, waiter);
        if (error) reject(error);
        else resolve(waiter.returned ? 'returned' : 'confirmed');
      };
      this.#waiting.set(messageId, [...(this.#waiting.get(messageId) ?? []), waiter]);
      send(waiter.settle);
    });
  }

  returned(messageId: string): void {
    for (const waiter of this.#waiting.get(messageId) ?? []) waiter.returned = true;
  }

  failAll(error: UnavailableError): void {
    for (const list of [...this.#waiting.values()]) for (const one of list) one.settle(error);
  }

  #forget(messageId: string, waiter: Waiter): void {
    const rest = (this.#waiting.get(messageId) ?? []).filter((one) => one !== waiter);
    if (rest.length > 0) this.#waiting.set(messageId, rest);
    else this.#waiting.delete(messageId);
  }
}
