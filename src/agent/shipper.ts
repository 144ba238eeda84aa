import type { Broker } from '../lib/broker.ts';
import { cutLine, LEVELS, type Level, type LogLine, MAX_LINES } from '../lib/log-lines.ts';
import { encode } from '../lib/messages.ts';
import { EXCHANGE, upKey } from '../lib/topology.ts';
import { sleep, uuidv7 } from '../lib/utils.ts';
import { ownLine } from './own-line.ts';
import { Spool, type Spooled } from './spool.ts';

/** Lines that are written within so long travel together. */
const GATHER_MS = 500;
const MAX_BATCH_BYTES = 256 << 10;
/** Lines in memory; beyond it they are dropped and counted, since only a script that floods gets there. */
const MAX_WAITING = 20_000;
/** A script that prints for ever must not be taken for a flood: so many batches and bytes a second, at most. */
const PACE_MS = 50;
const BYTES_PER_MS = 1_000;
const RETRY_MS = 2_000;
/** How long an agent that stops waits for the confirm under way. */
const CONFIRM_MS = 1_000;

type Batch = { id: string; lines: number; body: Buffer };

export type ShipperOptions = {
  folder: string;
  /** Of the disk, for what waits. */
  maxBytes: number;
  host: string;
  /** Of the agent's own lines, this level and graver ones. */
  level: Level;
};

/**
 * Brings log lines to the dispatcher: gathers them into batches, keeps on disk what the broker does not take, and sends in the
 * order of writing. It never makes anybody wait: whoever logs goes on at once.
 */
export class Shipper {
  #options: ShipperOptions;
  #spool: Spool;
  #broker: Broker | undefined;
  #clockOffsetMs = () => 0;
  #waiting: LogLine[] = [];
  /** Lines for which there was no room in memory. */
  #overflow = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #unconfirmed: Batch | undefined;
  #stop = new AbortController();

  constructor(options: ShipperOptions) {
    this.#options = options;
    this.#spool = new Spool(options.folder, options.maxBytes);
  }

  /** From now on there is somebody to send to. `clockOffsetMs`: the dispatcher's clock less ours. */
  connect(broker: Broker, clockOffsetMs: () => number): void {
    this.#broker = broker;
    this.#clockOffsetMs = clockOffsetMs;
    broker.on('connected', () => this.#wake());
    this.#wake();
  }

  /** A line of the agent's own log, as it was written. */
  takeOwn(json: string): void {
    const line = ownLine(json);
    if (line && LEVELS.indexOf(line.level) >= LEVELS.indexOf(this.#options.level)) this.take(line);
  }

  /** Never throws, and returns at once. `at` is this host's clock. */
  take(line: LogLine): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#overflow++;
      return;
    }
    this.#waiting.push({ ...line, text: cutLine(line.text) });
    this.#timer ??= setTimeout(() => this.#wake(), GATHER_MS).unref();
  }

  /** All that was not sent waits on disk for the next process, also what the broker may have and did not confirm yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort(new Error('stopped'));
    this.#spoolAll();
    await Promise.race([this.#sending, sleep(CONFIRM_MS)]);
    if (this.#unconfirmed) this.#keep(this.#unconfirmed);
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#stop.signal.aborted) return;
    if (!this.#broker?.connected) this.#spoolAll();
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#wake(), GATHER_MS).unref();
    });
  }

  async #send(): Promise<void> {
    while (this.#broker?.connected && !this.#stop.signal.aborted) {
      const waited = this.#spool.first(); // what waits on disk is older: it goes first
      const next = waited ? undefined : this.#nextBatch();
      if (waited) await this.#sendAgain(waited);
      else if (next) await this.#sendNew(next);
      else return;
    }
    this.#spoolAll();
  }

  async #sendNew(batch: Batch): Promise<void> {
    this.#unconfirmed = batch;
    const sent = await this.#publish(batch.id, batch.body);
    if (this.#unconfirmed !== batch) return;
    this.#unconfirmed = undefined;
    if (sent) await this.#rest(Math.max(PACE_MS, batch.body.length / BYTES_PER_MS));
    else this.#keep(batch);
  }

  async #sendAgain({ name, id, body }: Spooled): Promise<void> {
    const sent = await this.#publish(id, body);
    if (sent) this.#spool.taken(name);
    await this.#rest(sent ? Math.max(PACE_MS, body.length / BYTES_PER_MS) : RETRY_MS);
  }

  async #publish(id: string, body: Buffer): Promise<boolean> {
    const key = upKey('log', this.#options.host);
    const message = { exchange: EXCHANGE.up, key, type: 'log', messageId: id, body };
    const outcome = await this.#broker!.publish(message).catch(() => 'failed');
    return outcome === 'confirmed';
  }

  #spoolAll(): void {
    while (this.#waiting.length > 0) {
      this.#keep(this.#nextBatch()!);
    }
  }

  #keep(batch: Batch): void {
    if (this.#unconfirmed === batch) this.#unconfirmed = undefined;
    this.#spool.put(batch.id, batch.lines, batch.body);
  }

  #nextBatch(): Batch | undefined {
    if (this.#waiting.length === 0 && this.#spool.dropped + this.#overflow === 0) return undefined;
    let bytes = 0;
    let count = 0;
    for (const line of this.#waiting.slice(0, MAX_LINES)) {
      bytes += line.text.length * 3; // as UTF-8, at most
      if (count > 0 && bytes > MAX_BATCH_BYTES) break;
      count++;
    }
    const offset = Math.round(this.#clockOffsetMs());
    const lines = this.#waiting
      .splice(0, count)
      .map((line) => ({ ...line, at: Math.max(0, line.at + offset) }));
    const dropped = this.#spool.takeDropped() + this.#overflow;
    this.#overflow = 0;
    const id = uuidv7();
    const body = encode({ kind: 'log', id, host: this.#options.host, lines, dropped });
    return { id, lines: lines.length + dropped, body };
  }

  #rest(ms: number): Promise<void> {
    return sleep(ms, this.#stop.signal).catch(() => undefined);
  }
}
