import { closeSync, openSync, readSync } from 'node:fs';
import { codeOf } from '../lib/errors.ts';
import { unlessMissing } from '../lib/files.ts';
import type { Home } from '../lib/home.ts';

/** More of the file is not read. */
const MAX_BYTES = 2_000;
/** Of the reason, in characters. */
const MAX_LENGTH = 500;

/**
 * The hold of this host's owner: while the file etc/hold is there, nothing is begun here but what only answers, whatever
 * is ordered. Its text is the reason. It is written by whoever may write into etc/, which is root's, or the user's whose
 * home it is; by the agent never. What has begun goes on.
 *
 * Undefined where there is no hold. A file that cannot be read holds as well: somebody has put it there.
 */
export function heldBecause(home: Home): string | undefined {
  let text: string | undefined;
  try {
    text = unlessMissing(() => beginningOf(home.hold));
  } catch (error) {
    text = `${home.hold} cannot be read (${codeOf(error)})`;
  }
  if (text === undefined) return undefined;
  return text.replace(/\s+/g, ' ').trim().slice(0, MAX_LENGTH) || 'no reason is given';
}

function beginningOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(MAX_BYTES);
    return bytes.toString('utf8', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}
