import { mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { z } from 'zod';
import { readIfThere, removeDurably, removeFolder, writeDurably } from '../lib/files.ts';
import type { Home } from '../lib/home.ts';
import {
  type Identity,
  identity,
  newMachineKey,
  parse,
  readMachineKey,
  writeIdentity,
  writeMachineKey,
} from '../lib/identity.ts';
import { hashPassword, newSecret } from '../lib/management.ts';
import { check, schemas } from '../lib/messages.ts';
import type { Token } from '../lib/token.ts';
import { faultPoint } from './fault.ts';

const file = identity.extend({ machine: schemas.machine, passwordHash: schemas.passwordHash });
/** What this home asks for; `isOld`: an earlier try may have sent it. `isRenamed`: it was another host before. */
export type Joining = z.infer<typeof file> & { isOld: boolean; isRenamed: boolean };

/**
 * Writes down what will be asked for, or finds it there. A machine keeps its key as long as it keeps its name; under
 * another name it is another machine, since it may be a copy of one that lives on.
 */
export function prepare(home: Home, host: string, before: Identity | undefined): Joining {
  const isRenamed = before !== undefined && before.host !== host;
  const text = readIfThere(home.joining);
  const earlier = text === undefined ? undefined : check(file, parse(home.joining, text), 'bad_config');
  if (earlier?.host === host) return { ...earlier, isOld: true, isRenamed };
  const secret = newSecret();
  const machine = (isRenamed ? undefined : readMachineKey(home)) ?? newMachineKey();
  const joining = { host, secret, machine, passwordHash: hashPassword(secret) };
  writeDurably(home.joining, `${JSON.stringify(joining)}\n`, 0o600);
  return { ...joining, isOld: false, isRenamed };
}

/**
 * Each step may be done again. An agent starts as who the identity says, so that comes when all that it needs is there;
 * what was asked for stays until all is done.
 */
export function settle(home: Home, token: Token, joining: Joining, root: string): void {
  mkdirSync(dirname(home.config), { recursive: true });
  layDownRoot(home, root);
  const { ca } = securityOf(token);
  if (ca !== undefined) writeDurably(home.ca, ca, 0o644);
  writeConfig(home, token);
  faultPoint(home, 'join:configured');
  // Another host's tasks, and what it has not told yet. The file that is locked goes with the lock.
  if (joining.isRenamed) for (const end of ['', '-wal', '-shm']) removeDurably(home.journal + end);
  removeDurably(home.identityNext);
  faultPoint(home, 'join:cleared');
  writeIdentity(home.identity, joining);
  faultPoint(home, 'join:identified');
  writeMachineKey(home, joining.machine);
  faultPoint(home, 'join:keyed');
  removeDurably(home.joining);
}

/** What makes the connection one to trust; who made the token speaks in the open only where that is allowed. */
export function securityOf({ broker, ca }: Token): { ca?: string; allowPlain?: boolean } {
  const { protocol, hostname } = new URL(broker);
  const isOpen = protocol === 'amqp:' && !LOOPBACK.test(hostname);
  return { ...(ca === undefined ? {} : { ca: pem(ca) }), ...(isOpen ? { allowPlain: true } : {}) };
}

/** What was trusted on the word of another root goes with that one, and first. */
function layDownRoot(home: Home, root: string): void {
  if (readIfThere(home.trustRoot) === root) return;
  removeFolder(home.trust);
  writeDurably(home.trustRoot, root, 0o644);
}

const LOOPBACK = /^(localhost|127\..*|\[::1\])$/;

/** What a person has set in the file stays, but for what the token tells. */
function writeConfig(home: Home, token: Token): void {
  const { ca: _, allowPlain: __, ...kept } = parse(home.config, readIfThere(home.config) ?? '{}');
  const config = {
    ...{ ...kept, ...securityOf(token), broker: token.broker },
    ...(token.ca === undefined ? {} : { ca: basename(home.ca) }), // relative to the configuration
  };
  writeDurably(home.config, `${JSON.stringify(config, undefined, 2)}\n`, 0o644);
}

function pem(der: string): string {
  const lines = der.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
