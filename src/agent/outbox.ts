import type { Broker } from '../lib/broker.ts';
import { EXCHANGE, upKey } from '../lib/topology.ts';
import { sleep } from '../lib/utils.ts';
import type { Journal, Unsent } from './journal.ts';

const WINDOW = 50;
const RETRY_MS = 1_000;

/**
 * Sends what the journal holds, in its order, until the broker has confirmed it; while the broker is away it stays
 * in the journal. Something sent twice is recorded once, by its task and sequence number.
 */
export class Outbox {
  #journal: Journal;
  #broker: Broker;
  #host: string;
  #stop = new AbortController();
  #sending: Promise<void> | undefined;
  #more = false;

  constructor(journal: Journal, broker: Broker, host: string) {
    this.#journal = journal;
    this.#broker = broker;
    this.#host = host;
    journal.onUnsent = () => this.#wake();
    broker.on('connected', () => this.#wake());
    this.#wake();
  }

  /** Waits until all is sent, for `ms` at most. */
  async drain(ms: number): Promise<void> {
    this.#wake();
    await Promise.race([this.#sending, sleep(ms)]);
  }

  /** Idempotent; what is not confirmed by then stays in the journal. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    this.#journal.onUnsent = () => undefined;
    await this.#sending;
  }

  #wake(): void {
    this.#more = true;
    if (this.#stop.signal.aborted) return;
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#more && this.#broker.connected) this.#wake(); // woken while the last round was ending
    });
  }

  async #send(): Promise<void> {
    while (this.#broker.connected && !this.#stop.signal.aborted) {
      this.#more = false;
      const batch = this.#journal.unsent(WINDOW);
      if (batch.length === 0) return;
      const outcomes = await Promise.all(batch.map((one) => this.#publish(one)));
      const done = batch.filter((_, i) => outcomes[i]).map((one) => one.n);
      if (this.#stop.signal.aborted && done.length === 0) return;
      if (!this.#forget(done) || done.length < batch.length)
        await sleep(RETRY_MS, this.#stop.signal).catch(() => undefined);
    }
  }

  /** A full disk must not end the agent: what cannot be forgotten is sent again, and recorded once. */
  #forget(sent: number[]): boolean {
    try {
      this.#journal.sent(sent);
      return true;
    } catch {
      return false;
    }
  }

  async #publish({ kind, id, body }: Unsent): Promise<boolean> {
    const message = {
      exchange: EXCHANGE.up,
      key: upKey(kind, this.#host),
      type: kind,
      messageId: id,
      body: Buffer.from(body),
      mandatory: true,
    };
    return this.#broker.publish(message).then(
      (outcome) => outcome === 'confirmed',
      () => false,
    );
  }
}
