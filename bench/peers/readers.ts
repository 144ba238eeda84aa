/*
 * Many readers of one artifact in one process, each with a connection of its own, and each checking the whole.
 * Says `ready`, begins at the first line of its stdin, and says `done` when all have the right bytes.
 *
 *   PEER_BROKER=URL readers.ts stream QUEUE READERS CHUNKS PREFETCH SHA256
 *   readers.ts http URL READERS SHA256
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import { type ConfirmChannel, connect } from 'amqplib';

const [, , kind, ...args] = process.argv;
const CONNECT_AT_ONCE = 20;

const readers = kind === 'stream' ? await streamReaders() : httpReaders();
process.stdout.write('ready\n');
await once(process.stdin, 'data');
await Promise.all(readers.map((read) => read()));
process.stdout.write('done\n');
process.exit(0);

function check(found: string, wanted: string): void {
  if (found !== wanted) throw new Error(`what was read has sha256 ${found}, not ${wanted}`);
}

async function streamReaders(): Promise<(() => Promise<void>)[]> {
  const [queue = '', count, chunks, prefetch, sha256 = ''] = args;
  const all: (() => Promise<void>)[] = [];
  const open = async () => {
    const connection = await connect(process.env.PEER_BROKER ?? '', { noDelay: true });
    const channel = await connection.createConfirmChannel();
    await channel.prefetch(Number(prefetch));
    return () => readStream(channel, queue, Number(chunks), sha256);
  };
  while (all.length < Number(count)) {
    const some = Math.min(CONNECT_AT_ONCE, Number(count) - all.length);
    all.push(...(await Promise.all(Array.from({ length: some }, open))));
  }
  return all;
}

/** One publisher fills a stream, window by window, so a chunk may come before the one that precedes it. */
async function readStream(channel: ConfirmChannel, queue: string, chunks: number, sha256: string) {
  const whole = Promise.withResolvers<void>();
  const hash = createHash('sha256');
  const early = new Map<number, Buffer>();
  let next = 0;
  const consumer = await channel.consume(
    queue,
    (message) => {
      if (!message) return whole.reject(new Error('the stream was deleted'));
      const index = Number(message.properties.headers?.index);
      if (index >= next) early.set(index, message.content);
      for (let body = early.get(next); body; body = early.get(next)) {
        hash.update(body);
        early.delete(next++);
      }
      channel.ack(message);
      if (next === chunks) whole.resolve();
    },
    { arguments: { 'x-stream-offset': 'first' } },
  );
  await whole.promise;
  check(hash.digest('hex'), sha256);
  await channel.cancel(consumer.consumerTag);
}

function httpReaders(): (() => Promise<void>)[] {
  const [url = '', count, sha256 = ''] = args;
  return Array.from({ length: Number(count) }, () => async () => {
    const [response] = await once(get(url, { agent: false }), 'response');
    const hash = createHash('sha256');
    for await (const bytes of response) hash.update(bytes as Buffer);
    check(hash.digest('hex'), sha256);
  });
}
