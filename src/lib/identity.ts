import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { InputError } from './errors.ts';
import { readIfThere, writeDurably } from './files.ts';
import type { Home } from './home.ts';
import { check } from './messages.ts';
import { HOST_ID } from './utils.ts';

/** Who a home is in the fleet: its host's name and the secret that the broker knows the hash of. */
export const identity = z.object({ host: z.string().regex(HOST_ID), secret: z.string().min(16) });
export type Identity = z.infer<typeof identity>;

/** Undefined where there is none. Error: `bad_config`. */
export function readIdentity(path: string): Identity | undefined {
  const text = readIfThere(path);
  return text === undefined ? undefined : check(identity, parse(path, text), 'bad_config');
}

export function writeIdentity(path: string, { host, secret }: Identity): void {
  writeDurably(path, `${JSON.stringify({ host, secret })}\n`, 0o600);
}

/** By its key a machine is known again when it joins once more; a name alone could be anybody's. */
export const newMachineKey = () => randomBytes(32).toString('base64url');

/** Undefined where there is none. */
export function readMachineKey(home: Home): string | undefined {
  return readIfThere(home.machineKey)?.trim() || undefined;
}

export function writeMachineKey(home: Home, key: string): void {
  writeDurably(home.machineKey, `${key}\n`, 0o600);
}

/** The object in a JSON file of a home. Error: `bad_config`. */
export function parse(path: string, text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Why is not told: JSON's own error quotes the text, and here that may be a secret.
    throw new InputError('bad_config', `${path} is not JSON: mend or remove it`);
  }
}
