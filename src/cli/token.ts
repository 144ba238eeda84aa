import { type Command, InvalidArgumentError, Option } from 'commander';
import { loadClientConfig } from '../lib/config.ts';
import { hashPassword } from '../lib/management.ts';
import type { Call } from '../lib/sender.ts';
import { encodeToken, joinPassword, newTokenSecret, sha256Hex } from '../lib/token.ts';
import { compareVersions, platform } from '../lib/utils.ts';
import type { JoinToken, Package } from './answers.ts';
import { duration } from './duration.ts';
import { EXIT } from './exit.ts';
import { ownVersion } from './root.ts';
import { callSurely, withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { ago, count, labelsOf, moment } from './text.ts';
import { act, example, type Globals, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega token`: what a new machine joins the fleet with. */
export function addToken(program: Command, room: Room): void {
  const token = program.command('token').description('tokens: what new machines join the fleet with');
  example(token, 'mega token create --ttl 1h --uses 10', 'mega token list');
  addCreate(token, room);
  addList(token, room);

  const revoke = token.command('revoke <id>').description('let no machine join with it any more');
  revoke.action(
    act(room, async (options, id) => {
      const row = await withSender(options, (call) => call<JoinToken>('del_token', { id }));
      room.out.write(
        `${row.id} is revoked; the ${count(row.used, 'host')} that joined with it ${row.used === 1 ? 'stays' : 'stay'}\n`,
      );
      return EXIT.good;
    }),
  );
  example(revoke, 'mega token revoke 0123456789ab');
}

type CreateOptions = Globals & {
  ttl: number;
  uses: number;
  label?: Record<string, string>;
  platform: string;
  json?: true;
};

function addCreate(token: Command, room: Room): void {
  const create = token
    .command('create')
    .description('print the line that makes a machine a host of the fleet, run there as root')
    .addOption(
      new Option('--ttl <time>', 'how long it is good for, such as 30m, 1h or 7d')
        .argParser(duration)
        .default(3_600_000, '1h'),
    )
    .option('--uses <number>', 'how many machines may join with it', wholeNumber(1, 100_000), 1)
    .option('--label <name=value>', 'a label of the hosts that join; may be given again', label)
    .option('--platform <name>', 'the platform of the machines', platform())
    .option(...JSON_FLAG);
  create.action(
    act<CreateOptions>(room, async (options) => {
      const made = await withSender(options, (call) => makeToken(call, options));
      if (options.json) printJson(room.out, made);
      else {
        room.out.write(`${made.line}\n`);
        room.err.write(
          `good for ${count(made.uses, 'machine')}, until ${made.expiresAt}; keep it as you keep a password\n`,
        );
      }
      return EXIT.good;
    }),
  );
  example(
    create,
    'mega token create',
    'mega token create --ttl 7d --uses 100 --label dc=hz --label env=prod',
  );
}

async function makeToken(call: Call, options: CreateOptions) {
  const { ttl: ttlMs, uses, label: labels = {} } = options;
  const secret = newTokenSecret();
  const hashes = { sha256: sha256Hex(secret), passwordHash: hashPassword(joinPassword(secret)) };
  const asked = { ...hashes, ttlMs, uses, labels };
  const { root, ...about } = await callSurely<JoinToken & { root: string }>(call, 'create_token', asked);
  const where = brokerOf(loadClientConfig(options.config));
  const token = encodeToken({ v: 1, id: about.id, secret, ...where, root });
  const installer = `mega-install-${await newestRelease(call)}-${options.platform}.sh`;
  return { ...about, token, line: `printf %s '${token}' | sh ${installer}` };
}

/** As our own configuration names it, without our login, and with the certificate that we verify it by. */
function brokerOf({ broker, ca }: { broker: string; ca?: string | undefined }) {
  const url = new URL(broker);
  url.username = '';
  url.password = '';
  return { broker: url.href, ...(ca === undefined ? {} : { ca: derOf(ca) }) };
}

/** Of the first certificate. */
const derOf = (pem: string) => /-----BEGIN CERTIFICATE-----([^-]*)/.exec(pem)?.[1]?.replace(/\s/g, '') ?? '';

async function newestRelease(call: Call): Promise<string> {
  const ready = (await call<Package[]>('get_all_package')).filter((one) => one.state === 'ready');
  const releases = ready.filter((one) => one.kind === 'release').map((one) => one.name);
  return releases.toSorted(compareVersions).at(-1) ?? ownVersion();
}

const COLUMNS: Column<JoinToken>[] = [
  { title: 'TOKEN', cell: (one) => one.id },
  { title: 'STATE', cell: (one) => one.state },
  { title: 'USED', cell: (one) => `${one.used} of ${one.uses}`, right: true },
  { title: 'MADE', cell: (one) => ago(one.createdAt), right: true },
  { title: 'BY', cell: (one) => one.createdBy },
  { title: 'EXPIRES', cell: (one) => moment(one.expiresAt).slice(0, 23) },
  { title: 'LABELS', cell: (one) => labelsOf(one.labels) ?? '-', shrinks: true },
];

function addList(token: Command, room: Room): void {
  const list = token
    .command('list')
    .description('list the tokens, newest first')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const tokens = await withSender(options, (call) => call<JoinToken[]>('get_all_token'));
      if (options.json) printJson(room.out, tokens);
      else room.out.write(table(tokens, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega token list', 'mega token list --json');
}

function label(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([A-Za-z][A-Za-z0-9_.-]*)=(.+)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { ...earlier, [name]: value };
  throw new InvalidArgumentError('It must be a name and a value such as dc=hz.');
}
