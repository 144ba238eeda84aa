import { describe, MegaError, UnavailableError } from '../lib/errors.ts';
import { decode, encode, type Order, order } from '../lib/messages.ts';
import { type Incoming, Subscription } from '../lib/subscription.ts';
import { EXCHANGE, hostQueue, upKey } from '../lib/topology.ts';
import { verifyBody } from '../lib/trust/jose.ts';
import { uuidv7 } from '../lib/utils.ts';
import { tell } from './outbox.ts';
import type { Room } from './room.ts';
import type { Runner } from './runner.ts';
import { bodyOf } from './said.ts';

const PREFETCH = 50;
const MAX_PARKED_BYTES = 4096;
const PAUSE_MS = 5_000;
/** How far the dispatcher's clock may be ahead of what we think it is. */
const SKEW_MS = 60_000;

/**
 * Takes orders from this host's own queue: read, written into the journal, acknowledged, then run. Early
 * acknowledgement lets a task last for hours and an upgrade outlive its own restart. What changes nothing, such as a
 * ping, is answered first and acknowledged then: its order is all the memory it needs.
 */
type Listeners = {
  onProbe: (order: Order) => void;
  /** An order was too old by our clock, which may have jumped. */
  onExpired: () => void;
};

export class Inbox {
  #room: Room;
  #runner: Runner;
  #on: Listeners;
  #subscription: Subscription;
  /** One after the other, as they came: of two orders the later one wins. */
  #taking: Promise<void> = Promise.resolve();

  constructor(room: Room, runner: Runner, listeners: Listeners) {
    this.#room = room;
    this.#runner = runner;
    this.#on = listeners;
    const queue = hostQueue(room.host);
    this.#subscription = new Subscription(
      room.broker,
      { queue, prefetch: PREFETCH, exclusive: true, onTrouble: (error) => this.#trouble(error) },
      (message) => {
        this.#taking = this.#taking.then(() => this.#take(message));
      },
    );
  }

  /** Whether this process is the one that reads the host's queue. */
  get open(): boolean {
    return this.#subscription.open;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscription.close();
    await this.#taking;
  }

  /** Never rejects. */
  async #take(message: Incoming): Promise<void> {
    let read: Order;
    try {
      read = await this.#read(message);
    } catch (error) {
      if (error instanceof UnavailableError) this.#notYet(message, error);
      else void this.#park(message, describe(error));
      return;
    }
    if (read.expires < Date.now() + this.#room.clockOffsetMs()) {
      this.#tooLate(read, message);
      return;
    }
    if (this.#runner.onlyAnswers(read)) {
      void this.#answer(read, message);
      return;
    }
    try {
      this.#obey(read);
      message.ack();
    } catch (error) {
      // Not written down (a full disk, most likely): it stays with the broker, and is tried again.
      this.#room.logger.error(
        { task: read.task, error: describe(error) },
        'an order could not be written down',
      );
      setTimeout(() => message.nack(true), PAUSE_MS).unref();
    }
  }

  /** By our clock, which may have jumped: it is set anew, and the order looked at once more. */
  #tooLate(read: Order, message: Incoming): void {
    this.#on.onExpired();
    if (!message.redelivered) {
      setTimeout(() => message.nack(true), PAUSE_MS).unref();
      return;
    }
    this.#room.logger.info(
      { task: read.task },
      'an order came after it had expired; the dispatcher sends it anew',
    );
    message.ack();
  }

  /** The one place where orders come in (I4). Unavailable: who has signed it cannot be found out now. */
  async #read(message: Incoming): Promise<Order> {
    const { host, trust, clockOffsetMs } = this.#room;
    await verifyBody(message.body, message.headers.jws, trust.keyOf);
    const read = decode(order, message.body);
    if (read.host !== host) throw new MegaError('wrong_host', `an order for ${read.host} came to ${host}`);
    if (read.issued > Date.now() + clockOffsetMs() + SKEW_MS) {
      throw new MegaError('not_yet_valid', `an order that begins at ${new Date(read.issued).toISOString()}`);
    }
    return read;
  }

  /** It stays with the broker: an outage is no reason to refuse it (I5). */
  #notYet(message: Incoming, error: Error): void {
    this.#room.logger.warn({ error: describe(error) }, 'who signed an order cannot be found out yet');
    setTimeout(() => message.nack(true), PAUSE_MS).unref();
  }

  #obey(read: Order): void {
    const { journal } = this.#room;
    if (read.type === 'probe') this.#on.onProbe(read);
    else if (read.type === 'cancel') this.#runner.cancel(read.task);
    else if (journal.accept(read, this.#runner.isFree(read))) {
      const entry = journal.entry(read.task);
      if (entry) this.#runner.take(entry);
    } else {
      const { task, type, sequence } = read;
      this.#room.logger.info(
        { task, type, sequence },
        'an order was seen before: what became of it is said again',
      );
    }
  }

  /** Answered twice, for whatever reason, it is recorded once: the answer is always the first word of its task. */
  async #answer(read: Order, message: Incoming): Promise<void> {
    const { broker, host, version } = this.#room;
    const end = await this.#runner.answer(read);
    if (!end) return;
    const body = bodyOf(end, { task: read.task, host, seq: 1, phase: end.phase, version });
    if (await tell(broker, host, { kind: 'result', id: `${read.task}:1`, body })) message.ack();
    else setTimeout(() => message.nack(true), PAUSE_MS).unref();
  }

  /** We may write nowhere but on `mega.up`; the dispatcher puts it into `mega.dead` for us. */
  async #park(message: Incoming, reason: string): Promise<void> {
    const { broker, host, logger } = this.#room;
    const sender = message.userId || 'unknown';
    logger.warn({ sender, reason }, 'a message in our queue cannot be used');
    const body = message.body.subarray(0, MAX_PARKED_BYTES).toString('base64');
    try {
      const parked = encode({ kind: 'parked', host, reason, sender, body });
      await broker.publish({
        exchange: EXCHANGE.up,
        key: upKey('event', host),
        type: 'event',
        messageId: uuidv7(),
        body: parked,
      });
      message.ack();
    } catch {
      setTimeout(() => message.nack(true), PAUSE_MS).unref();
    }
  }

  #trouble(error: Error): void {
    const { logger, host } = this.#room;
    const text = describe(error);
    if (/403|ACCESS.REFUSED|exclusive/i.test(text)) {
      logger.error(
        { error: text },
        `another agent with the identity ${host} reads its queue: a cloned disk? Join this machine under a name of its own`,
      );
    } else if (/404|NOT.FOUND/i.test(text)) {
      logger.error({ error: text }, `the broker has no queue for ${host}: register it with mega host add`);
    } else logger.warn({ error: text }, 'not reading orders');
  }
}
