import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { readIfThere, writeDurably } from '../../lib/files.ts';
import { keyFromBase64, keyToBase64 } from '../../lib/trust/keys.ts';

const file = z.looseObject({ keys: z.object({ online: z.string(), orders: z.string() }) });

export type OnlineKeys = { online: KeyObject; orders: KeyObject };

/** The online keys in a dispatcher.json. Errors: `bad_argument`, `bad_key`. */
export function readOnlineKeys(path: string): OnlineKeys {
  const { online, orders } = read(path).keys;
  return { online: keyFromBase64(online), orders: keyFromBase64(orders) };
}

/** Puts a new one in the place of the old one; the rest of the file stays. */
export function writeOnlineKey(path: string, name: keyof OnlineKeys, key: KeyObject): void {
  const before = read(path);
  const keys = { ...before.keys, [name]: keyToBase64(key) };
  writeDurably(path, `${JSON.stringify({ ...before, keys }, undefined, 2)}\n`);
}

function read(path: string): z.infer<typeof file> {
  const text = readIfThere(path);
  try {
    return file.parse(JSON.parse(text ?? ''));
  } catch {
    throw new InputError(
      'bad_argument',
      `${path} is no dispatcher.json with online keys; mega setup writes one`,
    );
  }
}
