import { timingSafeEqual } from 'node:crypto';
import type { Queryable } from '../lib/conn.ts';
import { codeOf, InputError } from '../lib/errors.ts';
import { sha256Hex } from '../lib/token.ts';
import { hostQueue } from '../lib/topology.ts';
import type { Context } from './context.ts';
import { provisionHost, unlessRemoved } from './declare.ts';
import { markPlatform } from './store/hosts.ts';
import {
  addHost,
  getRegistered,
  lockHost,
  type Registered,
  setLabels,
  setMachine,
  setSecret,
} from './store/registered.ts';
import { enrolledAs, getToken, lockToken, type TokenRow, takeUse } from './store/tokens.ts';

/** What a machine says when it joins; `machine` is the SHA-256 of its key. */
export type Enrolment = { host: string; machine: string; passwordHash: string; platform: string };

/**
 * Lets a machine into the fleet.
 *
 * INVARIANTS
 * - A refusal changes nothing: all that can be refused is looked at before anything is written, or within the one
 *   transaction that writes.
 * - A use is taken along with the host's row, once for each machine: asking again, whatever was lost, takes no other
 *   one. A host that was removed is no longer known by its machine, and so takes a new one.
 * - The database knows the host first. What fails after that is an outage, and the same call again completes it.
 */
export async function enrol(context: Context, token: string, secret: string, asked: Enrolment) {
  const { db, publisher, management } = context;
  const { host, passwordHash } = asked;
  const row = requireSecret(await getToken(db, token), secret);
  const known = await getRegistered(db, host);
  requireToken(row, await isRepeated(db, token, known, asked));
  if (!known && (await management.hasUser(host))) throw foreignUser(host);
  if (known) requireOwn(known, asked);
  if (known && (await isRead(context, host))) throw cloned(host);
  await db.transaction((tx) => write(tx, token, asked));
  await provisionHost(publisher, management, host, passwordHash);
  await unlessRemoved(context, host);
}

async function write(tx: Queryable, id: string, asked: Enrolment): Promise<void> {
  const { host, machine, passwordHash, platform } = asked;
  const token = (await lockToken(tx, id))!;
  const isNew = await addHost(tx, host);
  const row = (await lockHost(tx, host))!;
  const again = await isRepeated(tx, id, row, asked);
  requireToken(token, again);
  if (!isNew) requireOwn(row, asked);
  if (again === 'no') await takeUse(tx, id, machine, host);
  await setMachine(tx, host, machine);
  await setSecret(tx, host, passwordHash);
  await markPlatform(tx, host, platform);
  await setLabels(tx, host, { ...row.labels, ...token.labels });
}

/** `machine`: it has taken its use before; `call`: and with the same secret, so that nothing would change. */
type Repeated = 'no' | 'machine' | 'call';

async function isRepeated(
  db: Queryable,
  token: string,
  known: Registered | undefined,
  { host, machine, passwordHash }: Enrolment,
): Promise<Repeated> {
  if (known?.machineHash !== machine || (await enrolledAs(db, token, machine)) !== host) return 'no';
  return known.passwordHash === passwordHash ? 'call' : 'machine';
}

/** The broker knows a token's login by its secret already; this holds even where somebody has changed that. */
function requireSecret(token: TokenRow | undefined, secret: string): TokenRow {
  const given = Buffer.from(sha256Hex(secret), 'hex');
  const wanted = Buffer.from(token?.sha256 ?? sha256Hex(''), 'hex');
  if (timingSafeEqual(given, wanted) && token) return token;
  throw new InputError('unknown_token', `there is no such token; ${ANOTHER}`);
}

const ANOTHER = 'make another with mega token create';

function requireToken(token: TokenRow, again: Repeated): void {
  if (token.revoked) throw new InputError('token_revoked', `the token was revoked; ${ANOTHER}`);
  if (again === 'call') return;
  if (token.expired) {
    throw new InputError('token_expired', `the token expired ${token.expiresAt.toISOString()}; ${ANOTHER}`);
  }
  if (again === 'no' && token.used >= token.uses) {
    throw new InputError(
      'token_used_up',
      `the token was used ${token.used} times, as often as it may; ${ANOTHER}`,
    );
  }
}

/** A host that was registered without a machine's key is another machine's, for all that we know. */
function requireOwn({ id, machineHash }: Registered, { machine }: Enrolment): void {
  if (machineHash === machine) return;
  throw new InputError(
    'name_taken',
    `another machine is called "${id}": join this one under a name of its own (--name), ` +
      `or, if that machine is gone for good, first: mega host remove ${id}`,
  );
}

export const foreignUser = (host: string) =>
  new InputError(
    'name_taken',
    `the broker has a user "${host}" that is no host of this fleet: choose another name`,
  );

const cloned = (host: string) =>
  new InputError(
    'cloned',
    `an agent that is "${host}" runs already: is this machine a copy of that one? ` +
      'Then join it under a name of its own: --name. Or stop that agent, if it is this machine itself',
  );

/** Whether an agent reads the host's queue. */
async function isRead({ publisher }: Context, host: string): Promise<boolean> {
  try {
    return await publisher.withChannel(async (channel) => {
      return (await channel.checkQueue(hostQueue(host))).consumerCount > 0;
    });
  } catch (error) {
    if (codeOf(error) === '404') return false;
    throw error;
  }
}
