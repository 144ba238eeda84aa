import { join } from 'node:path';
import { InputError, MegaError } from '../../lib/errors.ts';
import { keyId } from '../../lib/trust/keys.ts';
import { aboutOf, holdersOf, signersOf, verifyRoot, verifySigned } from '../../lib/trust/metadata.ts';
import { quoted } from '../text.ts';
import type { KeyFolder } from './folder.ts';

/**
 * What is signed and not in use yet waits in the folder as pending-root.json or pending-targets.json: until enough keys
 * have signed, which others may do elsewhere (`mega keys sign`), and targets until the dispatcher has them.
 */
export type OfflineRole = 'root' | 'targets';

/** Lets it wait, and says so when signatures are missing. Error: `partly_signed`. */
export function keepPending(folder: KeyFolder, role: OfflineRole, text: string): void {
  folder.savePending(role, text);
  requireSignatures(folder, role, text);
}

/** A root that has its signatures takes its place; others follow it from then on. Errors: as {@link pendingAfter}. */
export function settleRoot(folder: KeyFolder): void {
  const text = pendingAfter(folder, 'root', aboutOf('root', folder.root()).version);
  if (text === undefined) return;
  folder.saveRoot(text);
  folder.removePending('root');
}

/**
 * What waits to follow that version, with all its signatures. It is gone when another one has come first: nothing that
 * was signed elsewhere meanwhile may be lost by it. Errors: `partly_signed`, and `overtaken` where people have to know.
 */
export function pendingAfter(folder: KeyFolder, role: OfflineRole, version: number): string | undefined {
  const text = folder.pending(role);
  if (text === undefined) return undefined;
  if (aboutOf(role, text).version === version + 1) {
    requireSignatures(folder, role, text);
    return text;
  }
  const wasComplete = missingSignatures(folder, role, text) === undefined;
  folder.removePending(role);
  if (wasComplete) return undefined;
  throw new InputError(
    'overtaken',
    `what waited for signatures was overtaken by version ${version} of ${role}.json, and is gone: run the command that made it again`,
  );
}

function requireSignatures(folder: KeyFolder, role: OfflineRole, text: string): void {
  const missing = missingSignatures(folder, role, text);
  if (missing === undefined) return;
  const name = folder.pendingName(role);
  const path = quoted(join(folder.path, name));
  throw new MegaError(
    'partly_signed',
    `${name} has ${missing}; let the other keys sign: mega keys sign ${path} --keys THEIR-FOLDER, then: mega keys push`,
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
