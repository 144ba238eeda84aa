import { isDeepStrictEqual } from 'node:util';
import { codeOf } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import {
  type Holders,
  holdersOf,
  makeRoot,
  makeTargets,
  type Role,
  type Target,
  targetsOf,
  verifySigned,
} from '../../lib/trust/metadata.ts';
import { callSurely } from '../session.ts';
import { expiry } from './life.ts';
import { keepPending, settleRoot } from './pending.ts';
import { compare, type Standing, versionOf } from './repository.ts';
import type { OfflineSigner } from './signer.ts';

/** How often another publisher may be faster. */
const TRIES = 20;

export type Change = (targets: Target[]) => Target[];
/** `days`: signed anew in any case, to live for so long. */
export type Renewal = { days?: number };

/**
 * Changes the signed targets: takes the newest, signs what `change` makes of them, and sends it, roots that the
 * dispatcher does not have included. What was signed is on disk before it is sent, so that run again after any
 * interruption it goes on from there; where nothing changes, no key is asked for. Answers whether there was anything to
 * send. Errors: those of {@link compare}.
 */
export async function changeTargets(
  call: Call,
  signer: OfflineSigner,
  change: Change,
  renewal: Renewal = {},
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    const standing = await compare(call, signer.folder);
    const targets = await signTargets(signer, standing, change, renewal);
    const news = standing.roots.length > 0 || versionOf('targets', targets) !== standing.stored;
    try {
      const signed = { roots: standing.roots, targets, replaces: standing.stored };
      if (news) await callSurely(call, 'put_metadata', signed);
      signer.folder.settleTargets(targets);
      return news;
    } catch (error) {
      if (codeOf(error) !== 'metadata_conflict' || tries === TRIES) throw error;
    }
  }
}

/** Sends what was signed here, and signs what a new root wants signed anew. */
export const pushAll = (call: Call, signer: OfflineSigner) =>
  changeTargets(call, signer, (targets) => targets);

/**
 * Makes the next root of what `change` makes of the holders of the keys, signs it, and sends it with the targets.
 * Error: `partly_signed`, and those of {@link compare}.
 */
export async function changeRoot(
  call: Call,
  signer: OfflineSigner,
  change: (holders: Record<Role, Holders>) => Record<Role, Holders> | Promise<Record<Role, Holders>>,
  { days }: Renewal = {},
): Promise<void> {
  const { folder } = signer;
  await compare(call, folder);
  const before = folder.root();
  const about = { version: versionOf('root', before) + 1, expires: expiry(days) };
  const after = makeRoot(about, await change(holdersOf(before)));
  keepPending(folder, 'root', await signer.sign('root', after, [before, after]));
  settleRoot(folder);
  await pushAll(call, signer);
}

async function signTargets(
  signer: OfflineSigner,
  { base, newest }: Standing,
  change: Change,
  { days }: Renewal,
): Promise<string> {
  const { folder } = signer;
  const root = folder.root();
  const before = base === undefined ? [] : targetsOf(base);
  const after = change(before);
  const same = days === undefined && isDeepStrictEqual(after, before);
  if (base !== undefined && same && isSignedBy(root, base)) return base;
  const about = { version: newest + 1, expires: expiry(days) };
  const text = await signer.sign('targets', makeTargets(about, after), [root]);
  keepPending(folder, 'targets', text);
  return text;
}

function isSignedBy(root: string, targets: string): boolean {
  try {
    verifySigned(root, 'targets', targets);
    return true;
  } catch {
    return false;
  }
}
