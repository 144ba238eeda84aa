import { basename, join } from 'node:path';
import { InputError, MegaError } from '../../lib/errors.ts';
import { keyId } from '../../lib/trust/keys.ts';
import { aboutOf, holdersOf, signersOf, verifyRoot, verifySigned } from '../../lib/trust/metadata.ts';
import { quoted } from '../text.ts';
import type { KeyFolder } from './folder.ts';

/**
 * What more people must sign than have their keys here: it waits in the folder as pending-root.json or
 * pending-targets.json, is signed elsewhere by `mega keys sign`, and takes its place once enough have.
 */
export type OfflineRole = 'root' | 'targets';

/** Puts what was signed in its place, or lets it wait. Error: `partly_signed`. */
export function settle(folder: KeyFolder, role: OfflineRole, text: string): void {
  const missing = missingSignatures(folder, role, text);
  if (missing === undefined) {
    if (role === 'root') folder.saveRoot(text);
    else folder.saveTargets(text);
    folder.removePending(role);
    return;
  }
  folder.savePending(role, text);
  throw partlySigned(folder, role, missing);
}

/** What waited and has enough signatures now takes its place. Errors: `partly_signed`, and `overtaken`. */
export function settlePending(folder: KeyFolder, role: OfflineRole, newest: number): void {
  const text = folder.pending(role);
  if (text === undefined) return;
  const { version } = aboutOf(role, text);
  if (version > newest) {
    settle(folder, role, text);
    return;
  }
  folder.removePending(role);
  throw new InputError(
    'overtaken',
    `what waited for signatures was overtaken by version ${newest} of ${role}.json, and is gone: run the command that made it again`,
  );
}

/** In words; undefined where there are enough. */
function missingSignatures(folder: KeyFolder, role: OfflineRole, text: string): string | undefined {
  try {
    if (role === 'root') verifyRoot(folder.root(), text);
    else verifySigned(folder.root(), role, text);
    return undefined;
  } catch {
    const roots = role === 'root' ? [folder.root(), text] : [folder.root()];
    return [...new Set(roots.map((root) => countOf(root, role, text)))].join(', and of the new ones ');
  }
}

function countOf(root: string, role: OfflineRole, text: string): string {
  const { keys, threshold } = holdersOf(root)[role];
  const signers = new Set(signersOf(role, text));
  return `${keys.filter((key) => signers.has(keyId(key))).length} of ${threshold} signatures`;
}

function partlySigned(folder: KeyFolder, role: OfflineRole, missing: string): MegaError {
  const path = join(folder.path, folder.pendingName(role));
  const name = basename(path);
  return new MegaError(
    'partly_signed',
    `${name} has ${missing}; let the other keys sign: mega keys sign ${quoted(path)} --keys THEIR-FOLDER, then: mega keys push`,
  );
}
