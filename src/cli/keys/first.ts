import type { KeyObject } from 'node:crypto';
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readIfThere, removeFolder, syncFolder, writeDurably } from '../../lib/files.ts';
import { lockKey } from '../../lib/trust/jose.ts';
import { newKey } from '../../lib/trust/keys.ts';
import { makeRoot, makeTargets, sign } from '../../lib/trust/metadata.ts';
import { orderKeyTarget } from '../../lib/trust/targets.ts';
import type { OnlineKeys } from './dispatcherfile.ts';
import { KeyFolder } from './folder.ts';
import { expiry } from './life.ts';
import type { Passphrase } from './passphrase.ts';

export const MOST_KEYS = 20;

export type Count = { keys: number; threshold: number };

/**
 * Makes the offline keys of a fleet with the metadata that they sign first, unless they are there: `made` says so. They
 * appear in one piece or not at all.
 */
export async function firstKeys(
  path: string,
  online: OnlineKeys,
  passphrase: Passphrase,
  counts: { root: Count; targets: Count },
): Promise<{ folder: KeyFolder; made: boolean }> {
  if (readIfThere(join(path, 'root.json')) !== undefined)
    return { folder: KeyFolder.open(path), made: false };
  const secret = await passphrase();
  const beside = `${path}.new`;
  removeFolder(beside);
  mkdirSync(beside, { recursive: true, mode: 0o700 });
  const make = async (role: string, count: number): Promise<KeyObject[]> => {
    const keys = Array.from({ length: count }, newKey);
    const locked = await Promise.all(keys.map((key) => lockKey(key, secret)));
    for (const [i, text] of locked.entries()) writeDurably(join(beside, `${role}-${i + 1}.key`), `${text}\n`);
    return keys;
  };
  const [root, targets] = await Promise.all([
    make('root', counts.root.keys),
    make('targets', counts.targets.keys),
  ]);
  const signed = firstMetadata(online, { root, targets }, counts);
  for (const name of ['1.root.json', 'root.json']) writeDurably(join(beside, name), signed.root);
  writeDurably(join(beside, 'targets.json'), signed.targets);
  renameSync(beside, path);
  syncFolder(dirname(path));
  return { folder: KeyFolder.open(path), made: true };
}

function firstMetadata(
  { online, orders }: OnlineKeys,
  { root, targets }: Record<'root' | 'targets', KeyObject[]>,
  counts: { root: Count; targets: Count },
): { root: string; targets: string } {
  const byOne = { keys: [online], threshold: 1 };
  const holders = {
    root: { keys: root, threshold: counts.root.threshold },
    targets: { keys: targets, threshold: counts.targets.threshold },
    snapshot: byOne,
    timestamp: byOne,
  };
  const about = { version: 1, expires: expiry() };
  return {
    root: sign('root', makeRoot(about, holders), root),
    targets: sign('targets', makeTargets(about, [orderKeyTarget(orders)]), targets),
  };
}
