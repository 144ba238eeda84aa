import type { Broker } from '../lib/broker.ts';
import { EXCHANGE, upKey } from '../lib/topology.ts';
import { sleep } from '../lib/utils.ts';
import type { Journal, Unsent } from './journal.ts';

const WINDOW = 50;
const RETRY_MS = 1_000;
/** News may wait for so long: a task that has ended by then needs none. */
const GATHER_MS = 10;

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
  #gathering: NodeJS.Timeout | undefined;

  constructor(journal: Journal, broker: Broker, host: string) {
    this.#journal = journal;
    this.#broker = broker;
    this.#host = host;
    journal.onUnsent = (urgent) => (urgent ? this.#wake() : this.#gather());
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
    clearTimeout(this.#gathering);
    this.#journal.onUnsent = () => undefined;
    await this.#sending;
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => this.#wake(), GATHER_MS);
  }

  #wake(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
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
      const outcomes = await Promise.all(batch.map((one) => tell(this.#broker, this.#host, one)));
      const done = batch.filter((_, i) => outcomes[i]).map((one) => one.n);
      if (this.#stop.signal.aborted && done.length === 0) return;
      this.#journal.sent(done);
      if (done.length < batch.length) await sleep(RETRY_MS, this.#stop.signal).catch(() => undefined);
    }
  }
}

/** Says one thing of a task; true once the broker has it. */
export function tell(broker: Broker, host: string, { kind, id, body }: Omit<Unsent, 'n'>): Promise<boolean> {
  const message = {
    exchange: EXCHANGE.up,
    key: upKey(kind, host),
    type: kind,
    messageId: id,
    body: Buffer.from(body),
    mandatory: true,
  };
  return broker.publish(message).then(
    (outcome) => outcome === 'confirmed',
    () => false,
  );
}
