/** Holds up whoever wants to pass while it is closed. Opening or closing it twice changes nothing. */
export class Gate {
  #closed: PromiseWithResolvers<void> | undefined;

  close(): void {
    this.#closed ??= Promise.withResolvers<void>();
  }

  open(): void {
    this.#closed?.resolve();
    this.#closed = undefined;
  }

  async passed(): Promise<void> {
    while (this.#closed) await this.#closed.promise;
  }
}
