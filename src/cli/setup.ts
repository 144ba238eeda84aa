import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { InputError } from '../lib/errors.ts';
import { writeDurably } from '../lib/files.ts';
import { hashPassword, Management, newSecret } from '../lib/management.ts';
import { check } from '../lib/messages.ts';
import { loginOf, USER_NAME } from '../lib/people.ts';
import { readCa, refusePlain, type Security } from '../lib/secure.ts';
import {
  DISPATCHER_USER,
  dispatcherPermissions,
  OPERATOR_PREFIX,
  operatorPermissions,
} from '../lib/topology.ts';
import { EXIT } from './exit.ts';
import { type Count, MOST_KEYS } from './keys/first.ts';
import { newPassphraseOf } from './keys/passphrase.ts';
import { KEYS_FOLDER, type SetUpKeys, setUpKeys } from './keys/setup.ts';
import { quoted } from './text.ts';
import { act, example, type Room, wholeNumber } from './world.ts';

const USUAL_PORT = { amqp: 5672, amqps: 5671 } as const;
const CA_FILE = 'ca.crt';

const wanted = z.object({
  managementUrl: z.url({
    protocol: /^https?$/,
    error: 'is not a URL such as http://admin:password@host:15672',
  }),
  databaseUrl: z.url({
    protocol: /^(mysql|mariadb)$/,
    error: 'is not a URL such as mysql://user:password@host:3306/mega',
  }),
  vhost: z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'may hold letters, digits and . _ - only'),
  operator: z.string().regex(USER_NAME, 'may hold a-z, 0-9, _ and - only'),
  /** No host id holds an underscore, so a dispatcher's user is never a host's. */
  dispatcherUser: z
    .string()
    .regex(/^mega_[a-z0-9_-]{1,60}$/, 'must begin with mega_ and hold a-z, 0-9, _ and - only'),
  out: z.string().min(1),
  port: z.number().optional(),
  tlsPort: z.number().optional(),
  ca: z.string().optional(),
  allowPlain: z.boolean().default(false),
  anew: z.boolean().default(false),
});
type Wanted = z.output<typeof wanted>;

type CountOptions = {
  rootKeys: number;
  rootThreshold: number;
  targetsKeys: number;
  targetsThreshold: number;
};

type SetupOptions = Omit<Wanted, 'managementUrl' | 'databaseUrl'> &
  CountOptions & {
    managementUrlFile: string;
    passphraseFile?: string;
    databaseUrlFile: string;
  };

/** `mega setup`: prepares a broker for a fleet. URLs hold passwords and so come from files: a command line is public. */
export function addSetup(program: Command, room: Room): void {
  const setup = program
    .command('setup')
    .description(
      'make the vhost, the users and the keys of a fleet, and the configurations of dispatcher and operator',
    )
    .requiredOption(
      '--management-url-file <file>',
      'holds https://admin:password@host:15671, of a RabbitMQ administrator',
    )
    .requiredOption('--database-url-file <file>', 'holds mysql://user:password@host:3306/mega')
    .option('--vhost <name>', 'the vhost of the fleet', 'mega')
    .option(
      '--port <number>',
      "the broker's plain AMQP port (default: what it tells, else 5672)",
      wholeNumber(1, 65_535),
    )
    .option(
      '--passphrase-file <file>',
      'holds the passphrase for the offline keys (default: it is asked for)',
    )
    .option('--root-keys <number>', 'how many root keys to make', count, 1)
    .option('--root-threshold <number>', 'how many of them must sign', count, 1)
    .option('--targets-keys <number>', 'the same of those that sign packages', count, 1)
    .option('--targets-threshold <number>', 'the same of those that sign packages', count, 1)
    .option(
      '--tls-port <number>',
      "the broker's port for TLS (with --ca the default: what it tells, else 5671)",
      wholeNumber(1, 65_535),
    )
    .option('--ca <file>', 'use TLS, and trust the CAs in this file of certificates; mega certs makes one')
    .option(
      '--allow-plain',
      'let connections to other machines be plain: whoever is on the way can read them',
    )
    .option('--out <folder>', 'where to write dispatcher.json, operator.json and the folder keys', '.')
    .option(
      '--anew',
      'begin again with other keys, though the broker has such a fleet: its hosts must join again',
    )
    .option('--operator <name>', `admin of a new fleet; in the broker ${OPERATOR_PREFIX}<name>`, 'admin')
    .option('--dispatcher-user <name>', "the dispatchers' user in the broker", DISPATCHER_USER);
  setup.action(
    act<SetupOptions>(room, async ({ managementUrlFile, databaseUrlFile, passphraseFile, ...rest }) => {
      const urls = { managementUrl: secretFrom(managementUrlFile), databaseUrl: secretFrom(databaseUrlFile) };
      const to = check(wanted, { ...rest, ...urls });
      const broker = await reach(to);
      const out = writableFolder(to.out);
      const trust = await setUpKeys(out, newPassphraseOf(room, passphraseFile), countsOf(rest));
      const made = await prepareBroker({ ...to, out }, broker, trust.dispatcher);
      tell(room, made, trust);
      return EXIT.good;
    }),
  );
  example(setup, 'mega setup --management-url-file admin.url --database-url-file db.url --ca ca.crt');
}

function tell(room: Room, made: Prepared, trust: { folder: string; made: boolean }): void {
  room.out.write(`vhost ${made.vhost} is ready; ${made.users.join(' and ')} have new secrets.\n`);
  room.out.write('Whatever used earlier secrets of theirs must be started again with these:\n');
  room.out.write(`  ${made.dispatcher}\n  ${made.operator}\n`);
  room.out.write(`The offline keys ${trust.made ? 'are' : 'were there already'} in ${trust.folder}; `);
  room.out.write('keep a copy of that folder and its passphrase elsewhere.\n');
  room.out.write(`Next: mega dispatcher --config ${quoted(made.dispatcher)}\n`);
}

const count = wholeNumber(1, MOST_KEYS);

function countsOf(options: CountOptions): { root: Count; targets: Count } {
  const root = { keys: options.rootKeys, threshold: options.rootThreshold };
  const targets = { keys: options.targetsKeys, threshold: options.targetsThreshold };
  for (const { keys, threshold } of [root, targets]) {
    if (threshold > keys) throw new InputError('bad_argument', `${threshold} of ${keys} keys cannot sign`);
  }
  return { root, targets };
}

/** The broker, and how it is spoken to: what stands in the way is found out before anything is made or asked for. */
async function reach(to: Wanted) {
  const security = { allowPlain: to.allowPlain, ca: to.ca === undefined ? undefined : readCa(to.ca) };
  const scheme = to.ca === undefined && to.tlsPort === undefined ? 'amqp' : 'amqps';
  if (scheme === 'amqps' && to.port !== undefined)
    throw new InputError('bad_argument', '--port is the plain one: for TLS give --tls-port instead');
  const { hostname } = new URL(to.managementUrl);
  refuse(security, `${scheme}://${hostname}`, to.managementUrl, to.databaseUrl);
  const management = new Management(to.managementUrl, to.vhost, security);
  if (!to.anew) await refuseSecond(to, management);
  const given = scheme === 'amqps' ? to.tlsPort : to.port;
  const port = given ?? (await management.amqpPort(scheme)) ?? USUAL_PORT[scheme];
  const urlOf = (user: string, secret: string) =>
    `${scheme}://${user}:${secret}@${hostname}:${port}/${encodeURIComponent(to.vhost)}`;
  return { management, security, urlOf };
}
type Reached = Awaited<ReturnType<typeof reach>>;
type Prepared = Awaited<ReturnType<typeof prepareBroker>>;

/** Other keys than those that hosts trust would lock the whole fleet out. */
async function refuseSecond(to: Wanted, management: Management): Promise<void> {
  if (existsSync(join(to.out, 'dispatcher.json')) || !(await management.hasUser(to.dispatcherUser))) return;
  throw new InputError(
    'fleet_exists',
    `the broker has a fleet with dispatchers already (${to.dispatcherUser}), and ${to.out} has not its dispatcher.json: name the folder of that time with --out, or another fleet with --vhost, --dispatcher-user and --operator; with --anew the hosts of that fleet must join again`,
  );
}

/** Running it again is safe: what is there stays, and the users get new secrets. */
async function prepareBroker(to: Wanted, { management, security, urlOf }: Reached, trust: SetUpKeys) {
  const { out } = to;
  await management.createVhost();
  const addUser = async (name: string, permissions: ReturnType<typeof operatorPermissions>) => {
    const secret = newSecret();
    await management.putUser(name, hashPassword(secret), permissions);
    return urlOf(name, secret);
  };
  const operatorUser = loginOf(to.operator);
  const common = placeSecurity(out, security);
  const ofDispatcher = {
    broker: await addUser(to.dispatcherUser, dispatcherPermissions()),
    management: to.managementUrl,
    database: to.databaseUrl,
    ...common,
    ...trust,
    admins: [to.operator],
  };
  const dispatcher = writeConfig(join(out, 'dispatcher.json'), ofDispatcher);
  const operator = writeConfig(join(out, 'operator.json'), {
    broker: await addUser(operatorUser, operatorPermissions()),
    ...common,
    keys: KEYS_FOLDER,
  });
  return { vhost: to.vhost, users: [to.dispatcherUser, operatorUser], dispatcher, operator };
}

/** Before a password is sent anywhere; what is refused here the configurations would refuse as well. */
function refuse(security: Security, ...urls: string[]): void {
  try {
    for (const url of urls) refusePlain(url, security);
  } catch (cause) {
    const remedy = 'with --ca FILE mega setup takes TLS, with --allow-plain it goes on without';
    throw new InputError('plain_refused', `${(cause as Error).message}; ${remedy}`, { cause });
  }
}

/** Found out before anything is changed in the broker. */
function writableFolder(path: string): string {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
    return resolve(path);
  } catch (cause) {
    throw new InputError('bad_argument', `--out ${path} cannot be written to`, { cause });
  }
}

/** What both configurations say of it; the CA's certificate lies beside them, so that the folder may be moved. */
function placeSecurity(out: string, { ca, allowPlain }: Security): object {
  if (ca !== undefined) writeDurably(join(out, CA_FILE), ca, 0o644);
  return { ...(ca === undefined ? {} : { ca: CA_FILE }), ...(allowPlain ? { allowPlain } : {}) };
}

function writeConfig(path: string, value: object): string {
  writeDurably(path, `${JSON.stringify(value, undefined, 2)}\n`, 0o600);
  return path;
}

function secretFrom(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new InputError('bad_argument', `the file ${path} cannot be read`, { cause });
  }
}
