import type { X509Certificate } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { brokerUnavailable, isRefusedLogin, whatToDo } from './broker-errors.ts';
import { Confirms, type PublishOutcome } from './confirms.ts';
import { describe, MegaError, UnavailableError } from './errors.ts';
import { gatherWrites } from './gather.ts';
import { plainLogin } from './login.ts';
import { limitNesting } from './nesting.ts';
import { type Outgoing, propertiesOf } from './outgoing.ts';
import { type Answered, Questions } from './questions.ts';
import { refusePlain, type Security } from './secure.ts';
import { REPLY_QUEUE } from './topology.ts';
import { sleep, withDeadline } from './utils.ts';

/**
 * The one owner of amqplib: connect and recover, publish with confirms, consume, ask.
 *
 * A connection recovers by itself for ever, with uniform jitter: a fleet that comes back together must neither
 * stampede nor trickle. The publisher and each subscription have a channel of their own, so that what goes
 * wrong on one (403, 404, a deleted queue) does not end the others; each is opened again on the next
 * connection, or after a pause on the same one.
 */
export type { Channel, ConsumeMessage } from 'amqplib';

export type BrokerOptions = Security & {
  /** `amqps://user:password@host:port/vhost`, or `amqp://` on loopback */
  url: string;
  /** Asked at each connection, where the password may change while we live; default: the URL's. */
  password?: () => string;
  /** Shown in the RabbitMQ page. */
  name: string;
  heartbeatSeconds?: number;
  publishTimeoutMs?: number;
  /** Longest pause before another try to connect; each is drawn evenly from 0 to this. */
  reconnectMs?: number;
};

/**
 * Events: `connected`; `disconnected` (error); `trouble` (text a person can read: refused, blocked, ...); `refused`
 * (the broker does not take our user and password).
 */
export class Broker extends EventEmitter {
  readonly user: string;
  #options: Options;
  #model: Awaited<ReturnType<typeof open>> | undefined;
  #connection: ChannelModel | undefined;
  #publisher: ConfirmChannel | undefined;
  #confirms = new Confirms();
  #questions = new Questions();
  #blocked: string | undefined;
  #lastTrouble: Error | undefined;
  #closing = new AbortController();

  private constructor(options: BrokerOptions) {
    super();
    this.setMaxListeners(100);
    this.#options = { heartbeatSeconds: 20, publishTimeoutMs: 10_000, reconnectMs: 5_000, ...options };
    this.user = decodeURIComponent(new URL(options.url).username);
  }

  /** Starts connecting and returns at once; `ready()` waits for the first connection. */
  static async start(options: BrokerOptions): Promise<Broker> {
    refusePlain(options.url, options);
    const broker = new Broker(options);
    const model = await open(broker.#options, (fresh) => broker.#opened(fresh));
    broker.#model = model;
    model.on('connect', () => broker.emit('connected'));
    model.on('disconnect', (error: Error) => broker.#lost(error));
    model.on('connect-failed', (error: Error) => {
      broker.#trouble(error);
      if (isRefusedLogin(error)) broker.emit('refused');
    });
    model.on('blocked', (reason: string) => {
      broker.#blocked = reason;
      broker.emit('trouble', `the broker takes no messages for now (${reason}); ours wait`);
    });
    model.on('unblocked', () => {
      broker.#blocked = undefined;
    });
    model.on('error', () => undefined);
    return broker;
  }

  get connected(): boolean {
    return this.#publisher !== undefined;
  }

  /** Waits until connected; rejects with what stands in the way when `timeoutMs` have passed. */
  async ready(timeoutMs?: number, signal?: AbortSignal): Promise<void> {
    if (this.connected) return;
    const signals = [this.#closing.signal, ...(signal ? [signal] : [])];
    if (timeoutMs !== undefined) signals.push(AbortSignal.timeout(timeoutMs));
    await once(this, 'connected', { signal: AbortSignal.any(signals) }).catch((cause: unknown) => {
      if (signal?.aborted) throw signal.reason as Error;
      throw this.#unavailable(this.#lastTrouble ?? cause);
    });
  }

  /** Resolves once the broker answers for the message; rejects when it does not, and then nothing is known. */
  publish(message: Outgoing): Promise<PublishOutcome> {
    const channel = this.#publisher;
    if (!channel) return Promise.reject(this.#unavailable(this.#lastTrouble));
    // What is sent now would only pile up in our own memory.
    if (this.#blocked) return Promise.reject(this.#unavailable(new Error(`blocked: ${this.#blocked}`)));
    const late = () => this.#unavailable(new Error(this.#blocked ?? 'no confirm in time'));
    return this.#confirms.wait(message.messageId, this.#options.publishTimeoutMs, late, (done) => {
      const properties = propertiesOf(message, this.user);
      channel.publish(message.exchange, message.key, message.body, properties, (error) => {
        // amqplib says "channel closed" here before it says why.
        if (error) setImmediate(() => done(this.#unavailable(this.#lastTrouble ?? error)));
        else done();
      });
    });
  }

  /**
   * Publishes with direct reply-to and waits for the one answer; errors: `broker_unavailable` (the connection was
   * lost), `no_answer`, and `no_dispatcher` when no queue takes calls.
   */
  async ask(message: Outgoing, timeoutMs: number): Promise<Answered> {
    const { messageId } = message;
    const late = AbortSignal.timeout(timeoutMs);
    await this.ready(timeoutMs);
    return this.#questions.ask(messageId, timeoutMs, late, async () => {
      const answerable = { replyTo: REPLY_QUEUE, correlationId: messageId, mandatory: true };
      const sent = await this.publish({ ...message, ...answerable });
      const remedy = 'the broker has no queue for calls: start a dispatcher once';
      if (sent === 'returned') throw new UnavailableError('no_dispatcher', remedy);
    });
  }

  /** Runs `work` on a channel of its own (declaring, checking); the channel is closed afterwards. */
  async withChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.openChannel();
    channel.on('error', () => undefined);
    try {
      return await work(channel);
    } finally {
      await channel.close().catch(() => undefined);
    }
  }

  /** A fresh channel for a subscription; see subscription.ts. */
  async openChannel(): Promise<Channel> {
    if (!this.#connection) throw this.#unavailable(this.#lastTrouble);
    return this.#connection.createChannel();
  }

  /** The server's, as it showed it on this connection; undefined without TLS, and while there is none. */
  get certificate(): X509Certificate | undefined {
    const socket = this.#connection && innerOf(this.#connection).stream;
    return socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Waits up to `drainMs` for confirms under way, then closes. Calling it again does nothing. */
  async close(drainMs = 2_000): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const until = Date.now() + drainMs;
    while (this.#confirms.size > 0 && this.connected && Date.now() < until) await sleep(10);
    this.#closing.abort(new MegaError('closed', 'the connection to the broker was closed'));
    await withDeadline(this.#model?.close() ?? Promise.resolve(), drainMs, () => new Error('late')).catch(
      () => undefined,
    );
    this.#lost(new Error('closed'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #opened(connection: ChannelModel): Promise<void> {
    connection.on('error', () => undefined);
    const inner = innerOf(connection);
    gatherWrites(inner.stream);
    limitNesting(inner);
    // All frames of one read are handled before we go on: it may end while it is being set up.
    let ended = false;
    connection.once('close', () => {
      ended = true;
    });
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error: Error) => this.#trouble(error));
    channel.on('close', () => {
      if (this.#publisher !== channel) return;
      this.#publisher = undefined;
      this.#confirms.failAll(this.#unavailable(this.#lastTrouble ?? new Error('the channel was closed')));
      void connection.close().catch(() => undefined); // recovery opens both anew
    });
    channel.on('return', ({ properties }) => this.#confirms.returned(String(properties.messageId)));
    await channel.consume(REPLY_QUEUE, (message) => this.#answered(message), { noAck: true });
    if (ended) throw new MegaError('closed', 'the connection ended while it was set up');
    this.#connection = connection;
    this.#publisher = channel;
    this.#blocked = undefined;
    this.#lastTrouble = undefined;
  }

  #answered(message: ConsumeMessage | null): void {
    if (!message) return;
    const { correlationId, headers } = message.properties;
    this.#questions.answered(String(correlationId), { body: message.content, headers: headers ?? {} });
  }

  #lost(error: Error): void {
    this.#connection = undefined;
    this.#publisher = undefined;
    this.#confirms.failAll(this.#unavailable(error));
    // An answer goes to the connection that asked, and that is gone.
    this.#questions.failAll(this.#unavailable(error));
    this.emit('disconnected', error);
    if (!this.#closing.signal.aborted) this.#trouble(error);
  }

  #trouble(error: Error): void {
    this.#lastTrouble = error;
    this.emit('trouble', `${whatToDo(error, this.#options.url)} (${describe(error)})`);
  }

  #unavailable(cause: unknown): UnavailableError {
    return brokerUnavailable(this.#options.url, cause);
  }
}

type Inner = { stream: Socket } & Parameters<typeof limitNesting>[0];
const innerOf = ({ connection }: ChannelModel) => connection as unknown as Inner;

type Optional = 'password' | keyof Security;
type Options = Required<Omit<BrokerOptions, Optional>> & Pick<BrokerOptions, Optional>;

function open(options: Options, setup: (model: ChannelModel) => Promise<void>) {
  const url = new URL(options.url);
  const { password } = options;
  url.searchParams.set('heartbeat', String(options.heartbeatSeconds));
  return connect(url.href, {
    noDelay: true,
    timeout: 10_000,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    clientProperties: { connection_name: options.name },
    ...(password && { credentials: plainLogin(url, password) }),
    recovery: { setup, waitForConnect: false, calculateDelay: () => Math.random() * options.reconnectMs },
  });
}
