import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { World } from '../../dev/world/world.ts';
import { CHUNK_BYTES } from '../../src/dispatcher/packages/receive.ts';
import { Broker } from '../../src/lib/broker.ts';
import { EXCHANGE, streamQueue, streamSpec } from '../../src/lib/topology.ts';
import { uuidv7 } from '../../src/lib/utils.ts';

export const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** The dispatchers' own user, who alone may write where orders and packages travel. */
export async function dispatcherBroker(world: World): Promise<Broker> {
  const { broker: url } = JSON.parse(readFileSync(world.dispatcherConfig, 'utf8')) as { broker: string };
  const broker = await Broker.start({ url, name: 'test' });
  await broker.ready(10_000);
  return broker;
}

/** One package and its stream, to be filled by hand: rightly or not. */
export class PackageStream {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly chunks: number;
  #world: World;
  #broker: Broker;

  constructor(world: World, broker: Broker, file: string) {
    this.bytes = readFileSync(file);
    this.sha256 = sha256Of(this.bytes);
    this.chunks = Math.ceil(this.bytes.length / CHUNK_BYTES);
    this.#world = world;
    this.#broker = broker;
  }

  get indices(): number[] {
    return Array.from({ length: this.chunks }, (_, index) => index);
  }

  chunk(index: number): Buffer {
    return this.bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
  }

  async declare(): Promise<void> {
    const { name, arguments: spec } = streamSpec(this.sha256, this.bytes.length);
    await this.#broker.withChannel(async (channel) => {
      await channel.assertQueue(name, { durable: true, arguments: spec });
      await channel.bindQueue(name, EXCHANGE.package, this.sha256);
    });
  }

  async delete(): Promise<void> {
    await this.#broker.withChannel((channel) => channel.deleteQueue(streamQueue(this.sha256)));
  }

  /** Puts good chunks into the stream, in this order. */
  async put(indices: number[]): Promise<void> {
    for (const index of indices) await this.putRaw(this.chunk(index), { index });
  }

  /** Puts anything into it; headers that are not given are those of an honest chunk with this body. */
  async putRaw(body: Buffer, headers: Record<string, unknown>): Promise<void> {
    const honest = { count: this.chunks, sha256: sha256Of(body) };
    await this.#broker.publish({
      exchange: EXCHANGE.package,
      key: this.sha256,
      type: 'chunk',
      messageId: uuidv7(),
      headers: { ...honest, ...headers },
      body,
      mandatory: true,
    });
  }

  /** As if a dispatcher had filled it to the end. */
  async seal(): Promise<void> {
    await this.#world.database().run('UPDATE packages SET sealed = 1 WHERE sha256 = ?', [this.sha256]);
  }

  /** The index of every chunk that is in the stream, in its order: all that came before this call. */
  async read(): Promise<unknown[]> {
    const end = uuidv7();
    await this.putRaw(Buffer.from('end'), { index: end });
    const channel = await this.#broker.openChannel();
    try {
      const found: unknown[] = [];
      const done = Promise.withResolvers<void>();
      await channel.prefetch(10);
      await channel.consume(
        streamQueue(this.sha256),
        (message) => {
          if (!message) return done.reject(new Error('the stream was deleted'));
          const { index } = message.properties.headers ?? {};
          if (index === end) return done.resolve();
          found.push(index);
          channel.ack(message);
        },
        { arguments: { 'x-stream-offset': 'first' } },
      );
      await done.promise;
      return found;
    } finally {
      await channel.close();
    }
  }
}
