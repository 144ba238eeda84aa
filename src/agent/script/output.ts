import type { ScriptOutput } from '../../lib/orders.ts';
import type { End } from '../keeper/run-folder.ts';
import { lengthOf, readOutput } from '../keeper/segments.ts';

/** What no text of people or programs holds, so that what does is shown as bytes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const BINARY = /[\0-\x06\x0e-\x1a\x1c-\x1f]/;

/** What a result tells of a run: how it ended, as far as that is known, and the output's ends, `keepBytes` of each. */
export function outputOf(folder: string, end: End | undefined, keepBytes: number): ScriptOutput {
  const bytes = end?.bytes ?? lengthOf(folder);
  const whole = bytes <= 2 * keepBytes;
  const head = readOutput(folder, 0, whole ? bytes : keepBytes).bytes;
  const tail = whole ? Buffer.alloc(0) : readOutput(folder, bytes - keepBytes, keepBytes).bytes;
  const [first, last] = [untilLetter(head), fromLetter(tail)];
  const text = decode(whole ? head : first, last);
  const [from, to] = text ? [whole ? head : first, last] : [head, tail];
  const [headText, tailText] = text ?? [head.toString('base64'), tail.toString('base64')];
  return {
    ...{ code: end?.code ?? null, signal: end?.signal ?? null },
    ...{ head: headText, tail: tailText, encoding: text ? 'utf8' : 'base64' },
    ...{ bytes, cut: bytes - from.length - to.length, leftovers: end?.leftovers ?? false },
  };
}

/** Both as text; undefined when one of them is none. */
function decode(...parts: Buffer[]): [string, string] | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    const [head = '', tail = ''] = parts.map((part) => decoder.decode(part));
    return BINARY.test(head) || BINARY.test(tail) ? undefined : [head, tail];
  } catch {
    return undefined;
  }
}

const isMiddle = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;

/** Without the letter that was cut at its end: UTF-8 has one to four bytes for each, which tell their number. */
function untilLetter(bytes: Buffer): Buffer {
  let start = bytes.length - 1;
  while (start > bytes.length - 4 && isMiddle(bytes[start])) start--;
  const first = bytes[start] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return start + length > bytes.length ? bytes.subarray(0, start) : bytes;
}

/** Without the rest of a letter whose beginning was cut. */
function fromLetter(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && isMiddle(bytes[start])) start++;
  return bytes.subarray(start);
}
