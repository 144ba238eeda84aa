import type { Command } from 'commander';
import { loginOf, ROLES } from '../lib/people.ts';
import type { Me, User } from './answers.ts';
import { EXIT } from './exit.ts';
import { withSender } from './session.ts';
import { type Column, pairs, printJson, table, widthOf } from './table.ts';
import { ago, quoted } from './text.ts';
import { makeLogin } from './user/login.ts';
import { addToken } from './user/token.ts';
import { act, example, JSON_FLAG, type Room } from './world.ts';

/** `mega user`: people and scripts, and what they may do. */
export function addUser(program: Command, room: Room): void {
  const user = program.command('user').description('users: people and scripts, and what they may do');
  example(user, 'mega user list', 'mega user add alice --role viewer --out alice.json');
  addAdd(user, room);
  addList(user, room);
  addRole(user, room);
  addRemove(user, room);
  addWhoami(user, room);
  addToken(user, room);
}

const ROLE_HELP = `${ROLES.join(', ')}: may look; may change the fleet, too; and users as well`;

function addAdd(user: Command, room: Room): void {
  const add = user
    .command('add <name>')
    .description(
      'add a user, and write the configuration with which they run mega; only its owner may read it',
    )
    .requiredOption('--role <role>', ROLE_HELP)
    .requiredOption('--out <file>', 'where to write the configuration, which holds the secret');
  add.action(
    act<{ role: string; out: string }>(room, async ({ role, out, ...globals }, name) => {
      const args = () => ({ name, role });
      const login = { login: loginOf(name!), file: out, fn: 'add_user', args };
      const { files } = await makeLogin(globals, login);
      room.out.write(
        `${name} is ${role}; hand over ${files.join(' and ')}, which hold their secret, and keep no copy\n`,
      );
      room.out.write(`Next: mega host list --config ${quoted(out)}\n`);
      return EXIT.good;
    }),
  );
  example(add, 'mega user add alice --role operator --out alice.json');
}

const COLUMNS: Column<User>[] = [
  { title: 'USER', cell: (user) => user.name },
  { title: 'ROLE', cell: (user) => user.role },
  { title: 'ADDED', cell: (user) => ago(user.createdAt), right: true },
  { title: 'BY', cell: (user) => user.createdBy },
];

function addList(user: Command, room: Room): void {
  const list = user
    .command('list')
    .description('list all users')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const users = await withSender(options, (call) => call<User[]>('get_all_user'));
      if (options.json) printJson(room.out, users);
      else room.out.write(table(users, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega user list');
}

function addRole(user: Command, room: Room): void {
  const role = user.command('role <name> <role>').description(`change what a user may do (${ROLE_HELP})`);
  role.action(
    act(room, async (options, name, role) => {
      await withSender(options, (call) => call('mod_user', { name, role }));
      room.out.write(`${name} is ${role}\n`);
      return EXIT.good;
    }),
  );
  example(role, 'mega user role alice operator');
}

function addRemove(user: Command, room: Room): void {
  const remove = user
    .command('remove <name>')
    .description('remove a user and their API tokens; who is connected as one of them is thrown out');
  remove.action(
    act(room, async (options, name) => {
      await withSender(options, (call) => call('del_user', { name }));
      room.out.write(`${name} is removed; what they did stays in the audit\n`);
      return EXIT.good;
    }),
  );
  example(remove, 'mega user remove alice');
}

function addWhoami(user: Command, room: Room): void {
  const whoami = user
    .command('whoami')
    .description('tell as whom the configuration calls, and what that user may do')
    .option(...JSON_FLAG);
  whoami.action(
    act<{ json?: true }>(room, async (options) => {
      const me = await withSender(options, (call) => call<Me>('whoami'));
      if (options.json) printJson(room.out, me);
      else
        room.out.write(
          pairs([
            ['user', me.user],
            ['API token', me.token],
            ['role', me.role],
          ]),
        );
      return EXIT.good;
    }),
  );
  example(whoami, 'mega user whoami');
}
