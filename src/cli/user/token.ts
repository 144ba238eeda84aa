import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { loginOf } from '../../lib/people.ts';
import type { ApiToken } from '../answers.ts';
import { duration } from '../duration.ts';
import { EXIT } from '../exit.ts';
import { withSender } from '../session.ts';
import { type Column, printJson, table, widthOf } from '../table.ts';
import { moment } from '../text.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';
import { makeLogin } from './login.ts';

/** `mega user token`: logins of scripts, which expire. */
export function addToken(user: Command, room: Room): void {
  const token = user.command('token').description('API tokens: logins of scripts, which expire');
  example(token, 'mega user token create alice --name ci --role viewer --ttl 30d --out ci.json');
  addCreate(token, room);
  addList(token, room);

  const revoke = token
    .command('revoke <user> <name>')
    .description('revoke an API token; what is connected with it is thrown out');
  revoke.action(
    act(room, async (options, user, name) => {
      await withSender(options, (call) => call('del_api_token', { user, name }));
      room.out.write(`the API token ${name} of ${user} is revoked\n`);
      return EXIT.good;
    }),
  );
  example(revoke, 'mega user token revoke alice ci');
}

type CreateOptions = { name: string; role: string; ttl: number; out: string };

function addCreate(token: Command, room: Room): void {
  const create = token
    .command('create <user>')
    .description('make an API token, and write the configuration with which the script runs')
    .requiredOption('--name <name>', 'what the user calls it')
    .requiredOption('--role <role>', "what it may do: no more than the user's own role")
    .requiredOption('--ttl <duration>', 'when it expires: 90s, 15m, 1h, 30d, at most a year', duration)
    .requiredOption('--out <file>', 'where to write the configuration, which holds the secret');
  create.action(
    act<CreateOptions>(room, async ({ name, role, ttl, out, ...globals }, user) => {
      const args = (secret: string) => ({ user, name, role, ttlMs: ttl, secretSha256: sha256Of(secret) });
      const login = { login: loginOf(user!, name), file: out, fn: 'add_api_token', args };
      const { made, files } = await makeLogin<ApiToken>(globals, login);
      room.out.write(`${made.login} is ${made.role} until ${moment(made.expiresAt)}\n`);
      room.out.write(
        `Next: give ${files.join(' and ')} to the script, and name ${out} in $MEGA_CONFIG or by --config\n`,
      );
      return EXIT.good;
    }),
  );
  example(create, 'mega user token create alice --name ci --role viewer --ttl 30d --out ci.json');
}

const COLUMNS: Column<ApiToken>[] = [
  { title: 'USER', cell: (token) => token.user },
  { title: 'TOKEN', cell: (token) => token.name },
  { title: 'ROLE', cell: (token) => token.role },
  { title: 'EXPIRES', cell: (token) => `${token.expiresAt.slice(0, 19).replace('T', ' ')} UTC` },
  { title: 'BY', cell: (token) => token.createdBy },
];

type ListOptions = { json?: true; secretFile?: string };

function addList(token: Command, room: Room): void {
  const list = token
    .command('list [user]')
    .description('list API tokens: of one user, or all that you may see')
    .option('--secret-file <file>', 'only the one whose secret this file holds: whose was it that was found?')
    .option(...JSON_FLAG);
  list.action(
    act<ListOptions>(room, async ({ secretFile, ...options }, user) => {
      const secretSha256 = secretFile === undefined ? undefined : sha256Of(secretFrom(secretFile));
      const tokens = await withSender(options, (call) =>
        call<ApiToken[]>('get_all_api_token', { user, secretSha256 }),
      );
      if (options.json) printJson(room.out, tokens);
      else room.out.write(table(tokens, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega user token list', 'mega user token list --secret-file found.txt');
}

const sha256Of = (secret: string) => createHash('sha256').update(secret).digest('hex');

function secretFrom(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new InputError('bad_argument', `the file ${path} cannot be read`, { cause });
  }
}
