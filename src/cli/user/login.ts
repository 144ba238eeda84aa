import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { loadClientConfig } from '../../lib/config.ts';
import { InputError } from '../../lib/errors.ts';
import { removeDurably, writeDurably } from '../../lib/files.ts';
import { hashPassword, newSecret } from '../../lib/management.ts';
import type { Call } from '../../lib/sender.ts';
import { callSurely, withSender } from '../session.ts';
import type { Globals } from '../world.ts';

export type NewLogin = { login: string; file: string; fn: string; args: (secret: string) => object };

/**
 * Makes a login by calling `fn`, and the configuration file of whoever is to use it. The secret is made here and
 * stands in that file alone: what travels is the hash that RabbitMQ keeps. The file is written first, so that no login
 * is made whose secret is lost, and goes again when none was made.
 */
export async function makeLogin<T>(globals: Globals, { login, file, fn, args }: NewLogin): Promise<T> {
  const secret = newSecret();
  const path = newFile(file);
  const { broker } = loadClientConfig(globals.config);
  const url = new URL(broker);
  url.username = login;
  url.password = secret;
  writeDurably(path, `${JSON.stringify({ broker: url.href }, undefined, 2)}\n`, 0o600);
  const make = (call: Call) =>
    callSurely<T>(call, fn, { ...args(secret), passwordHash: hashPassword(secret) });
  try {
    return await withSender(globals, make);
  } catch (error) {
    removeDurably(path);
    throw error;
  }
}

/** What stands there may be the only place where a secret is kept. */
function newFile(file: string): string {
  const path = resolve(file);
  if (existsSync(path))
    throw new InputError('bad_argument', `--out ${file} is there already: name another file`);
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw new InputError('bad_argument', `--out ${file} cannot be written`, { cause });
  }
  return path;
}
