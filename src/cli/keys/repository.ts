import { isDeepStrictEqual } from 'node:util';
import { codeOf, InputError } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import {
  aboutOf,
  makeTargets,
  type Target,
  targetsOf,
  verifyRoot,
  verifySigned,
} from '../../lib/trust/metadata.ts';
import { callSurely } from '../session.ts';
import type { KeyFolder } from './folder.ts';
import { expiry } from './life.ts';
import type { OfflineSigner } from './signer.ts';

/** How often another publisher may be faster. */
const TRIES = 20;

/** Where folder and dispatcher stand. */
type Standing = {
  /** Those that the dispatcher does not have, in order. */
  roots: string[];
  /** The targets to go on from: the newer ones. */
  base: string | undefined;
  /** The dispatcher's version of them; 0 for none. */
  stored: number;
};

/**
 * Changes the signed targets: takes the newest, signs what `change` makes of them, and sends it, roots that the
 * dispatcher does not have included. What was signed is on disk before it is sent, so that run again after any
 * interruption it goes on from there; where nothing changes, no key is asked for. Answers whether there was anything to send.
 */
export async function changeTargets(
  call: Call,
  signer: OfflineSigner,
  change: (targets: Target[]) => Target[],
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    const standing = await compare(call, signer.folder);
    const targets = await signTargets(signer, standing, change);
    const version = aboutOf('targets', targets).version;
    if (standing.roots.length === 0 && version === standing.stored) return false;
    try {
      await callSurely(call, 'put_metadata', { roots: standing.roots, targets, replaces: standing.stored });
      return true;
    } catch (error) {
      if (codeOf(error) !== 'metadata_conflict' || tries === TRIES) throw error;
    }
  }
}

async function signTargets(
  signer: OfflineSigner,
  { base, stored }: Standing,
  change: (targets: Target[]) => Target[],
): Promise<string> {
  const { folder } = signer;
  const root = folder.root();
  const before = base === undefined ? [] : targetsOf(base);
  const after = change(before);
  if (base !== undefined && isDeepStrictEqual(after, before) && isSignedBy(root, base)) {
    folder.saveTargets(base);
    return base;
  }
  const version = Math.max(stored, base === undefined ? 0 : aboutOf('targets', base).version) + 1;
  const text = await signer.sign('targets', makeTargets({ version, expires: expiry() }, after), [root]);
  verifySigned(root, 'targets', text);
  folder.saveTargets(text);
  return text;
}

/** Brings the folder's roots up to date, and finds out what of it the dispatcher does not have. */
async function compare(call: Call, folder: KeyFolder): Promise<Standing> {
  const roots = await compareRoots(call, folder);
  const stored = await fetchMetadata(call, 'targets.json');
  const local = folder.targets();
  // The root that the dispatcher goes by may be older than ours.
  const root = folder.roots().at(-1 - roots.length);
  if (stored !== undefined && root !== undefined) verifySigned(root, 'targets', stored);
  const versionOf = (text: string | undefined) => (text === undefined ? 0 : aboutOf('targets', text).version);
  return {
    roots,
    base: versionOf(local) > versionOf(stored) ? local : (stored ?? local),
    stored: versionOf(stored),
  };
}

async function compareRoots(call: Call, folder: KeyFolder): Promise<string[]> {
  const theirs = await fetchMetadata(call, 'root.json');
  if (theirs === undefined) return folder.roots();
  const newest = aboutOf('root', theirs).version;
  for (let version = aboutOf('root', folder.root()).version + 1; version <= newest; version++) {
    const next = await fetchMetadata(call, `${version}.root.json`);
    if (next === undefined)
      throw new InputError('bad_metadata', `the dispatcher has no ${version}.root.json`);
    verifyRoot(folder.root(), next);
    folder.saveRoot(next);
  }
  const ours = folder.roots();
  const at = ours.findIndex((root) => aboutOf('root', root).version === newest);
  if (ours[at] === theirs) return ours.slice(at + 1);
  throw new InputError(
    'wrong_keys',
    `the dispatcher's root is none of ${folder.path}: are these the keys of another fleet?`,
  );
}

async function fetchMetadata(call: Call, name: string): Promise<string | undefined> {
  const { text } = await callSurely<{ text: string | null }>(call, 'get_metadata', { name });
  return text ?? undefined;
}

function isSignedBy(root: string, targets: string): boolean {
  try {
    verifySigned(root, 'targets', targets);
    return true;
  } catch {
    return false;
  }
}
