import { existsSync, mkdirSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type ClientConfig, loadClientConfig } from '../../lib/config.ts';
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
export async function makeLogin<T>(
  globals: Globals,
  { login, file, fn, args }: NewLogin,
): Promise<{ made: T; files: string[] }> {
  const secret = newSecret();
  const path = newFile(file);
  const files = writeConfig(path, loadClientConfig(globals.config), login, secret);
  const make = (call: Call) =>
    callSurely<T>(call, fn, { ...args(secret), passwordHash: hashPassword(secret) });
  try {
    return { made: await withSender(globals, make), files };
  } catch (error) {
    for (const one of files) removeDurably(one);
    throw error;
  }
}

/** As ours, with another login; the CA's certificate lies beside it, so that both may be moved. What was written. */
function writeConfig(path: string, ours: ClientConfig, login: string, secret: string): string[] {
  const url = new URL(ours.broker);
  url.username = login;
  url.password = secret;
  const { ca, allowPlain } = ours;
  const caFile = path.replace(/(\.json)?$/, '.ca.crt');
  if (ca !== undefined) writeDurably(caFile, ca, 0o644);
  const security = {
    ...(ca === undefined ? {} : { ca: basename(caFile) }),
    ...(allowPlain ? { allowPlain } : {}),
  };
  writeDurably(path, `${JSON.stringify({ broker: url.href, ...security }, undefined, 2)}\n`, 0o600);
  return ca === undefined ? [path] : [path, caFile];
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
