import type { KeyObject } from 'node:crypto';
import type { Queryable } from '../../lib/conn.ts';
import { InputError } from '../../lib/errors.ts';
import { keyId } from '../../lib/trust/keys.ts';
import {
  aboutOf,
  holdersOf,
  makeSnapshot,
  makeTimestamp,
  namedIn,
  sign,
  verifySigned,
} from '../../lib/trust/metadata.ts';
import { addMetadata, forgetOldMetadata, newestMetadata, type Stored } from '../store/trust.ts';

/**
 * What the online key signs: which targets are the newest (snapshot), and that this is still so (timestamp).
 *
 * INVARIANTS
 * - A version is the one before and one more, or the time in seconds where that is more: the metadata of a database
 *   that was restored from a backup is signed anew under higher versions than any host has seen.
 * - What is newest fits together: whoever changes root or targets has both signed anew in the same transaction.
 * - What a host may have been told to fetch is kept for a while, though a newer one is there.
 */
export type OnlineSigner = { key: KeyObject; timestampLifeMs: number; snapshotLifeMs: number };

const KEPT = 8;

/**
 * Signs what is missing, does not fit together, or has lived for half its time; with `afresh` all of it. In the
 * caller's transaction, under the lock of the metadata. Error: `wrong_online_key`.
 */
export async function renewOnline(tx: Queryable, now: Date, by: OnlineSigner, afresh = false): Promise<void> {
  const root = await newestMetadata(tx, 'root');
  const targets = await newestMetadata(tx, 'targets');
  if (!root || !targets) return;
  requireOnlineKey(root.body, by.key);
  const renew = async (role: 'snapshot' | 'timestamp', lifeMs: number, names: Stored, make: Make) => {
    const stored = await newestMetadata(tx, role);
    if (stored && !afresh && isGood(role, stored, { root, names, now, lifeMs })) return stored;
    const version = Math.max((stored?.version ?? 0) + 1, Math.floor(now.getTime() / 1000));
    const expires = new Date(now.getTime() + lifeMs);
    const body = sign(role, make({ version, expires }, names.body), [by.key]);
    await addMetadata(tx, role, version, body);
    return { version, body };
  };
  const snapshot = await renew('snapshot', by.snapshotLifeMs, targets, makeSnapshot);
  await renew('timestamp', by.timestampLifeMs, snapshot, makeTimestamp);
  await forgetOldMetadata(tx, 'targets', KEPT);
  await forgetOldMetadata(tx, 'snapshot', KEPT);
  await forgetOldMetadata(tx, 'timestamp', 1);
}

type Make = typeof makeSnapshot;
type Against = { root: Stored; names: Stored; now: Date; lifeMs: number };

function isGood(role: 'snapshot' | 'timestamp', { body }: Stored, against: Against): boolean {
  const { root, names, now, lifeMs } = against;
  if (namedIn(role, body) !== names.version) return false;
  if (aboutOf(role, body).expires.getTime() - now.getTime() < lifeMs / 2) return false;
  try {
    verifySigned(root.body, role, body);
    return true;
  } catch {
    return false; // the key has been replaced
  }
}

/** What this dispatcher signs is to be believed by hosts, or it signs nothing. Error: `wrong_online_key`. */
export function requireOnlineKey(root: string, key: KeyObject): void {
  const { snapshot, timestamp } = holdersOf(root);
  const fits = [snapshot, timestamp].every(
    ({ keys, threshold }) => threshold === 1 && keys.some((one) => keyId(one) === keyId(key)),
  );
  if (fits) return;
  throw new InputError(
    'wrong_online_key',
    `the online key ${keyId(key).slice(0, 8)} of this dispatcher is none that root.json names: start it with the dispatcher.json that mega keys rotate online wrote`,
  );
}
