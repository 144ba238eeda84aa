import { codeOf, describe, MegaError, UnavailableError } from '../lib/errors.ts';
import { decode, type Event, event, type Result, result } from '../lib/messages.ts';
import { type Incoming, Subscription } from '../lib/subscription.ts';
import { QUEUE } from '../lib/topology.ts';
import { sleep } from '../lib/utils.ts';
import type { Context } from './context.ts';
import { park } from './park.ts';
import { record } from './record.ts';

/**
 * Reads one of `mega.results` and `mega.events`: gathers while the database is busy, commits what has gathered in
 * one transaction, and only then acknowledges. When the database stays away the consumer is closed, so that what
 * it held goes back to the queue once and not again and again; it reads on when the database is back.
 *
 * gathering → (flush) committing → acknowledged; on a failed commit → waiting → committing ...
 */
const PREFETCH = 500;
const BATCH = 200;
const PATIENCE_MS = 60_000;

/** Only what the message itself is to blame for may be parked; all else is the database's, and waits. */
const itsOwnFault = (error: unknown) =>
  !(error instanceof UnavailableError) && codeOf(error) !== 'database_error';

type Held = { message: Incoming; said: Event | Result };

export class Collector {
  #context: Context;
  #queue: string;
  #subscription: Subscription;
  #held: Held[] = [];
  /** Messages that are neither held nor settled yet. */
  #parking = 0;
  #flushing: Promise<void> | undefined;
  #stop = new AbortController();
  #openSince: number | undefined;

  constructor(context: Context, queue: typeof QUEUE.results | typeof QUEUE.events) {
    this.#context = context;
    this.#queue = queue;
    this.#subscription = this.#subscribe();
  }

  /** How long it has been reading and recording without a break, in ms; silence of a host means nothing before that. */
  get steadyMs(): number {
    return this.#openSince === undefined || !this.#subscription.open ? 0 : Date.now() - this.#openSince;
  }

  /** What it holds is committed if the database answers soon; the rest stays with the broker. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new MegaError('closed', 'the collector was closed'));
    await this.#flushing;
    await this.#subscription.close();
  }

  #subscribe(): Subscription {
    const { consumer, logger } = this.#context;
    return new Subscription(
      consumer,
      {
        queue: this.#queue,
        prefetch: PREFETCH,
        onOpen: () => {
          this.#held = [];
          this.#openSince = Date.now();
        },
        onTrouble: (error) => logger.warn({ queue: this.#queue, error: describe(error) }, 'not reading'),
      },
      (message) => this.#take(message),
    );
  }

  #take(message: Incoming): void {
    if (this.#context.floods.drops(message, 'messages')) {
      message.ack();
      return;
    }
    const said = this.#read(message);
    if (!said) return;
    if (said.kind === 'heartbeat' || said.kind === 'goodbye') {
      this.#context.sightings.note(said);
      message.ack();
      return;
    }
    this.#held.push({ message, said });
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
  }

  /** What cannot be read, or speaks in another's name, is parked and never stops the rest (I7). */
  #read(message: Incoming): Event | Result | undefined {
    try {
      const said = this.#queue === QUEUE.results ? decode(result, message.body) : decode(event, message.body);
      if (message.userId !== said.host) {
        throw new MegaError('wrong_sender', `${message.userId || 'an unnamed user'} speaks as ${said.host}`);
      }
      return said;
    } catch (error) {
      this.#parking++;
      this.#context.floods.noteUnread(message);
      void park(this.#context, message, describe(error)).finally(() => this.#parking--);
      return undefined;
    }
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // lets what has arrived together gather
    let since: number | undefined;
    while (this.#held.length > 0) {
      const batch = this.#held.slice(0, BATCH);
      try {
        await record(
          this.#context,
          batch.map((one) => one.said),
        );
        this.#done(batch);
        since = undefined;
      } catch (error) {
        since ??= Date.now();
        if (itsOwnFault(error) && batch.length === 1) await this.#giveUp(batch[0]!, error);
        else if (itsOwnFault(error)) await this.#oneByOne(batch);
        else if (!(await this.#bear(since))) return;
      }
    }
  }

  /** The database refuses something in the batch: finds it, so that the rest is recorded. */
  async #oneByOne(batch: Held[]): Promise<void> {
    for (const one of batch) {
      try {
        await record(this.#context, [one.said]);
        this.#done([one]);
      } catch (error) {
        if (!itsOwnFault(error)) return;
        await this.#giveUp(one, error);
      }
    }
  }

  async #giveUp(one: Held, error: unknown): Promise<void> {
    await park(this.#context, one.message, `not recorded: ${describe(error)}`);
    this.#forget([one]);
  }

  #done(recorded: Held[]): void {
    // What came before and is not held was settled before, unless it is just being parked. (One by one costs a third.)
    if (this.#parking === 0) recorded.at(-1)?.message.ackUpTo();
    else for (const { message } of recorded) message.ack();
    this.#forget(recorded);
    this.#openSince ??= Date.now();
  }

  /** By what they are, not by their number: a new channel may have put others in their place meanwhile. */
  #forget(batch: Held[]): void {
    const gone = new Set(batch);
    this.#held = this.#held.filter((one) => !gone.has(one));
  }

  /** False when what is held was given back. */
  async #bear(since: number): Promise<boolean> {
    const { logger } = this.#context;
    this.#openSince = undefined; // what hosts say now is not recorded: to the store they are silent
    if (this.#stop.signal.aborted) return false;
    await sleep(500, this.#stop.signal).catch(() => undefined);
    if (Date.now() - since < PATIENCE_MS) return true;
    logger.warn('the database stays away: what was read goes back to the broker until it answers');
    await this.#subscription.close();
    this.#held = [];
    await this.#untilDatabaseAnswers();
    if (!this.#stop.signal.aborted) this.#subscription = this.#subscribe();
    return false;
  }

  async #untilDatabaseAnswers(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await record(this.#context, []);
        return;
      } catch {
        await sleep(2_000, this.#stop.signal).catch(() => undefined);
      }
    }
  }
}
