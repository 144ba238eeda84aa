import { InputError } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import { aboutOf, verifyRoot, verifySigned } from '../../lib/trust/metadata.ts';
import { callSurely } from '../session.ts';
import type { KeyFolder } from './folder.ts';
import { pendingAfter, settleRoot } from './pending.ts';

/** Where folder and dispatcher stand. */
export type Standing = {
  /** Those that the dispatcher does not have, in order. */
  roots: string[];
  /** The targets to go on from: what waits to follow the newest, else the newest. */
  base: string | undefined;
  /** The version that is in use, or was before a backup was restored. */
  newest: number;
  /** The dispatcher's version of them; 0 for none. */
  stored: number;
};

/**
 * Brings the folder up to date with what was signed elsewhere, puts in place what has got enough signatures meanwhile,
 * and finds out what of it the dispatcher does not have. Nothing is taken over but what the root keys vouch for.
 * Errors: `wrong_keys`, `bad_metadata`, `overtaken`, `partly_signed`.
 */
export async function compare(call: Call, folder: KeyFolder): Promise<Standing> {
  const common = await commonRoot(call, folder);
  settleRoot(folder);
  const stored = await fetchMetadata(call, 'targets.json');
  const [known, ...lacking] = folder.roots().slice(Math.max(0, common - 1));
  if (stored !== undefined && known !== undefined) verifySigned(known, 'targets', stored);
  const ours = folder.targets();
  const inUse = versionOf('targets', ours) > versionOf('targets', stored) ? ours : (stored ?? ours);
  const newest = versionOf('targets', inUse);
  return {
    roots: common === 0 ? folder.roots() : lacking,
    base: pendingAfter(folder, 'targets', newest) ?? inUse,
    newest,
    stored: versionOf('targets', stored),
  };
}

export function versionOf(role: 'root' | 'targets', text: string | undefined): number {
  return text === undefined ? 0 : aboutOf(role, text).version;
}

/** The newest root that both have, after newer ones of the dispatcher were taken over; 0 when it has none. */
async function commonRoot(call: Call, folder: KeyFolder): Promise<number> {
  const newest = versionOf('root', await fetchMetadata(call, 'root.json'));
  if (newest === 0) return 0;
  const ours = folder.roots();
  let common = Math.min(newest, ours.length);
  while (common > 0 && (await fetchMetadata(call, `${common}.root.json`)) !== ours[common - 1]) common--;
  if (common === 0) {
    throw new InputError(
      'wrong_keys',
      `the dispatcher goes by another root than ${folder.path}: are these the keys of another fleet?`,
    );
  }
  for (let version = common + 1; version <= newest; version++) {
    const next = await fetchMetadata(call, `${version}.root.json`);
    if (next === undefined)
      throw new InputError('bad_metadata', `the dispatcher has no ${version}.root.json`);
    verifyRoot(folder.roots()[version - 2], next);
    folder.saveRoot(next);
  }
  if (common === ours.length || common === newest) return newest;
  folder.forgetRootsAfter(newest);
  throw new InputError(
    'overtaken',
    `somebody else has signed version ${common + 1} of root.json meanwhile, which is here now: run the command again`,
  );
}

async function fetchMetadata(call: Call, name: string): Promise<string | undefined> {
  const { text } = await callSurely<{ text: string | null }>(call, 'get_metadata', { name });
  return text ?? undefined;
}
