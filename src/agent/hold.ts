import { codeOf } from '../lib/errors.ts';
import { readIfThere } from '../lib/files.ts';
import type { Home } from '../lib/home.ts';
import { schemas } from '../lib/messages.ts';

/**
 * The hold of this host's owner: while the file etc/hold is there, nothing but what only answers is begun here, whatever
 * is ordered. Its text is the reason. Who may write it may write into etc/, which is root's, or of the user whose home
 * it is; the agent never does. What has begun goes on.
 *
 * Undefined where there is no hold. A file that cannot be read holds as well: it was put there by somebody.
 */
export function heldBecause(home: Home): string | undefined {
  let text: string | undefined;
  try {
    text = readIfThere(home.hold);
  } catch (error) {
    text = `${home.hold} cannot be read (${codeOf(error)})`;
  }
  if (text === undefined) return undefined;
  return schemas.held.parse(text.replace(/\s+/g, ' ').trim() || 'no reason is given');
}
