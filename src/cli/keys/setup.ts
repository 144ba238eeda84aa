import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { readIfThere, writeDurably } from '../../lib/files.ts';
import { keyFromBase64, keyId, keyToBase64, newKey } from '../../lib/trust/keys.ts';
import { holdersOf } from '../../lib/trust/metadata.ts';
import type { OnlineKeys } from './dispatcherfile.ts';
import { type Count, firstKeys } from './first.ts';
import type { Passphrase } from './passphrase.ts';

export const KEYS_FOLDER = 'keys';

const written = z.object({ keys: z.object({ online: z.string(), orders: z.string() }) });

/** What `mega setup` writes into dispatcher.json for the sake of trust. */
export type SetUpKeys = {
  keys: { online: string; orders: string };
  firstMetadata: { roots: string[]; targets: string };
};

/**
 * The keys of a fleet: the online ones that a dispatcher.json here holds, and the offline ones of the folder beside it.
 * What is there stays; what is missing is made.
 */
export async function setUpKeys(
  out: string,
  passphrase: Passphrase,
  counts: { root: Count; targets: Count },
): Promise<{ dispatcher: SetUpKeys; folder: string; made: boolean }> {
  const keys = onlineKeys(join(out, 'dispatcher.json'));
  const { folder, made } = await firstKeys(join(out, KEYS_FOLDER), keys, passphrase, counts);
  requireNamed(folder.root(), keys.online);
  const targets = folder.targets();
  if (targets === undefined)
    throw new InputError('no_keys', `${folder.path} has no targets.json: run mega keys renew targets`);
  const dispatcher = {
    keys: { online: keyToBase64(keys.online), orders: keyToBase64(keys.orders) },
    firstMetadata: { roots: folder.roots(), targets },
  };
  return { dispatcher, folder: folder.path, made };
}

/** Those that are new are on disk before the offline keys sign them: interrupted, they are found again. */
function onlineKeys(path: string): OnlineKeys {
  const text = readIfThere(path);
  const file: unknown = text === undefined ? {} : JSON.parse(text);
  const found = written.safeParse(file);
  if (!found.success) {
    const keys = { online: keyToBase64(newKey()), orders: keyToBase64(newKey()) };
    writeDurably(path, `${JSON.stringify({ ...(file as object), keys }, undefined, 2)}\n`);
    return onlineKeys(path);
  }
  return { online: keyFromBase64(found.data.keys.online), orders: keyFromBase64(found.data.keys.orders) };
}

function requireNamed(root: string, online: KeyObject): void {
  if (holdersOf(root).timestamp.keys.some((key) => keyId(key) === keyId(online))) return;
  throw new InputError(
    'wrong_online_key',
    'the offline keys are there, but not the dispatcher.json with the online key that they have signed: copy it here from another dispatcher, then run mega setup again',
  );
}
