import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { codeOf, InputError } from '../../lib/errors.ts';

/** What a script is to read: the text of a file, or of our own standard input (`-`). Error: `bad_argument`. */
export async function stdinOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const bytes = file === '-' ? await buffer(process.stdin) : read(file);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InputError('bad_argument', `${file === '-' ? 'standard input' : file} is no text (UTF-8)`);
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new InputError('bad_argument', `${file} cannot be read: ${codeOf(error)}`);
  }
}
