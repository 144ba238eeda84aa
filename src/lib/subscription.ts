import type { Broker, Channel, ConsumeMessage } from './broker.ts';
import { MegaError } from './errors.ts';
import { sleep } from './utils.ts';

export type Incoming = {
  body: Buffer;
  /** With which routing key it was published: on `mega.up` the broker lets nobody write another's name into it. */
  key: string;
  type: string;
  messageId: string;
  correlationId: string;
  replyTo: string;
  /** The sender's user name, which the broker has checked; empty when it was not given. */
  userId: string;
  headers: Record<string, unknown>;
  redelivered: boolean;
  /** After the channel is gone `ack` and `nack` do nothing: the broker delivers again. */
  ack(): void;
  /** Acknowledges this and all that came before it on the same channel. */
  ackUpTo(): void;
  nack(requeue: boolean): void;
};

export type SubscribeOptions = {
  queue: string;
  prefetch: number;
  /** A second consumer of the queue is refused with 403. */
  exclusive?: boolean;
  /** Asked at each opening, for example for the offset of a stream. */
  arguments?: () => Record<string, unknown>;
  /** Pause before another try after the broker refused or ended the subscription. */
  retryMs?: number;
  /** Called for each new channel, before its first message can arrive: what came on the one before comes again. */
  onOpen?: () => void;
  /** Why it could not be opened, or was ended by the broker (`cancelled`: the queue was deleted). */
  onTrouble?: (error: Error) => void;
};

/**
 * A consumer that outlives connections and channels.
 *
 * open → (channel or connection ends) → pause → open → ... → close. One loop owns the channel; `close` cancels
 * the consumer first, so that nothing new arrives, and leaves what was not acknowledged to the broker.
 */
export class Subscription {
  #broker: Broker;
  #options: SubscribeOptions;
  #handler: (message: Incoming) => void;
  #stop = new AbortController();
  #channel: Channel | undefined;
  #loop: Promise<void>;

  constructor(broker: Broker, options: SubscribeOptions, handler: (message: Incoming) => void) {
    this.#broker = broker;
    this.#options = options;
    this.#handler = handler;
    this.#loop = this.#run();
  }

  get open(): boolean {
    return this.#channel !== undefined;
  }

  /** Idempotent; resolves when the broker delivers nothing more. */
  async close(): Promise<void> {
    this.#stop.abort(new MegaError('closed', 'the subscription was closed'));
    await this.#loop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    const stop = AbortSignal.any([this.#stop.signal, this.#broker.closed]);
    while (!stop.aborted) {
      try {
        await this.#broker.ready(undefined, stop);
        await this.#consume(stop);
      } catch (error) {
        if (stop.aborted) return;
        if (!this.#broker.connected) continue; // it goes on with the next connection
        this.#options.onTrouble?.(error as Error);
      }
      await sleep(this.#options.retryMs ?? 1_000, stop).catch(() => undefined);
    }
  }

  /** Resolves when stopped; rejects when the broker ended it. */
  async #consume(stop: AbortSignal): Promise<void> {
    const channel = await this.#broker.openChannel();
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => undefined);
    channel.on('error', (error: Error) => ended.reject(error));
    channel.on('close', () => ended.reject(new MegaError('channel_closed', 'the channel was closed')));
    const end = () => ended.resolve();
    stop.addEventListener('abort', end, { once: true });
    const { queue, prefetch, exclusive = false } = this.#options;
    try {
      await channel.prefetch(prefetch);
      const take = (message: ConsumeMessage | null) => {
        if (!message)
          ended.reject(new MegaError('cancelled', `the broker ended the consumer: ${queue} was deleted`));
        else if (!stop.aborted) this.#handler(incoming(channel, message));
      };
      this.#options.onOpen?.(); // deliveries that come along with the broker's consent are handled before we go on
      const { consumerTag } = await channel.consume(queue, take, {
        exclusive,
        arguments: this.#options.arguments?.(),
      });
      this.#channel = channel;
      await ended.promise;
      await channel.cancel(consumerTag);
    } finally {
      stop.removeEventListener('abort', end);
      this.#channel = undefined;
      await channel.close().catch(() => undefined);
    }
  }
}

function incoming(channel: Channel, message: ConsumeMessage): Incoming {
  const properties = message.properties;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const quietly = (act: () => void) => {
    try {
      act();
    } catch {
      // The channel is gone: the broker delivers the message again.
    }
  };
  return {
    body: message.content,
    key: message.fields.routingKey,
    type: text(properties.type),
    messageId: text(properties.messageId),
    correlationId: text(properties.correlationId),
    replyTo: text(properties.replyTo),
    userId: text(properties.userId),
    headers: properties.headers ?? {},
    redelivered: message.fields.redelivered,
    ack: () => quietly(() => channel.ack(message)),
    ackUpTo: () => quietly(() => channel.ack(message, true)),
    nack: (requeue) => quietly(() => channel.nack(message, false, requeue)),
  };
}
