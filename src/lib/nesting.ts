/**
 * The client reads a message's headers by recursion: arrays in arrays, ten thousand deep, fit into one header frame
 * and overflow its stack. That ends the connection, the broker delivers the message again, and so one sender would keep
 * every reader of a queue from its work for ever. So values that lie too deep become plain bytes, in place, before the
 * client reads them: a tag and a length stand before either.
 */
const MAX_DEPTH = 16;
/** Less cannot lie deep enough to do harm. */
const HARMLESS_BYTES = 2_048;

/** AMQP 0-9-1, 4.2.3: type, channel, size; then, in a header frame, class, weight, body size (4.2.6.1). */
const FRAME_HEAD_BYTES = 7;
const SIZE_AT = 3;
const HEADER_FRAME = 2;
const FLAGS_AT = 12;
const FLAGS_BYTES = 2;
/** The properties that may come before the headers, and the headers themselves. */
const SHORT_STRINGS = [0x8000, 0x4000];
const HEADERS = 0x2000;

const LENGTH_BYTES = 4;
/** By tag: how many bytes follow it. Those of a length of their own are not here. */
const VALUE_BYTES: Record<string, number> = {
  ...{ b: 1, B: 1, t: 1, s: 2, u: 2, I: 4, i: 4, f: 4, D: 5, T: 8, d: 8, l: 8, V: 0 },
};
const TABLE = 'F';
const ARRAY = 'A';
const BYTES = 'x';

type Reading = { rest: Buffer; recvFrame(): unknown };

/** From now on this connection of the client reads no headers that are too deep. */
export function limitNesting(connection: Reading): void {
  const receive = connection.recvFrame;
  connection.recvFrame = () => {
    flattenHeaders(connection.rest); // also each time that more has come: it calls itself again then
    return receive.call(connection);
  };
}

/** Does nothing unless the bytes begin with a whole header frame. */
function flattenHeaders(bytes: Buffer): void {
  if (bytes.length < FRAME_HEAD_BYTES || bytes.readUInt8(0) !== HEADER_FRAME) return;
  const size = bytes.readUInt32BE(SIZE_AT);
  if (size < HARMLESS_BYTES || bytes.length < FRAME_HEAD_BYTES + size) return;
  const properties = bytes.subarray(FRAME_HEAD_BYTES + FLAGS_AT, FRAME_HEAD_BYTES + size);
  const flags = properties.readUInt16BE(0);
  if ((flags & HEADERS) === 0) return;
  let at = FLAGS_BYTES;
  for (const flag of SHORT_STRINGS) if ((flags & flag) !== 0) at += 1 + properties.readUInt8(at);
  const length = properties.readUInt32BE(at);
  at += LENGTH_BYTES;
  flatten(properties.subarray(at, at + length), TABLE, 1);
}

function flatten(values: Buffer, kind: string, depth: number): void {
  for (let at = 0; at < values.length; ) {
    if (kind === TABLE) at += 1 + values.readUInt8(at); // the name
    const tagAt = at;
    const tag = String.fromCharCode(values.readUInt8(at++));
    const fixed = VALUE_BYTES[tag];
    if (fixed !== undefined) {
      at += fixed;
      continue;
    }
    const length = values.readUInt32BE(at);
    at += LENGTH_BYTES;
    if (tag === TABLE || tag === ARRAY) {
      if (depth < MAX_DEPTH) flatten(values.subarray(at, at + length), tag, depth + 1);
      else values.write(BYTES, tagAt);
    }
    at += length;
  }
}
