import { z } from 'zod';
import { InputError, MegaError } from '../../lib/errors.ts';
import { loginOf, ownerOf, ROLES, USER_NAME } from '../../lib/people.ts';
import { operatorPermissions } from '../../lib/topology.ts';
import { listApiTokens } from '../store/api-tokens.ts';
import { addUser, getUser, hasOtherAdmin, listUsers, removeUser, setRole } from '../store/users.ts';
import { ADMIN, type Caller, fn, type Room, VIEWER } from './function.ts';

export const userName = z.string().regex(USER_NAME, 'a name of a-z, 0-9, _ and -, at most 60');
export const role = z.enum(ROLES);
export const passwordHash = z.string().regex(/^[A-Za-z0-9+/=]{40,100}$/);

const user = z.object({ name: z.string(), role, createdAt: z.string(), createdBy: z.string() });

export const userFunctions = [
  fn({
    name: 'whoami',
    help: 'What the caller may do: the login that the broker has checked, its user, the API token if it is one, and the role.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({}),
    output: z.object({ login: z.string(), user: z.string(), token: z.string().nullable(), role }),
    handler: async (_room, _input, caller) => {
      const { user, token = null } = ownerOf(caller.id)!;
      return { login: caller.id, user, token, role: role.parse(caller.role) };
    },
  }),
  fn({
    name: 'add_user',
    help: 'Adds a person or script with a broker login of its own; its secret stays with the caller, who sends only the hash that RabbitMQ keeps.',
    callers: ADMIN,
    effect: 'changes',
    input: z.object({ name: userName, role, passwordHash }),
    output: z.object({ name: z.string(), login: z.string() }),
    handler: async (room, { name, role, passwordHash }, caller) => {
      const login = loginOf(name);
      if (!(await getUser(room.db, name))) await refuseOthersLogin(room, login);
      const callKey = `${caller.id}:${caller.key}`;
      if (!(await addUser(room.db, { name, role, by: caller.id, callKey }))) throw taken(name);
      await room.management.putUser(login, passwordHash, operatorPermissions());
      return { name, login };
    },
  }),
  fn({
    name: 'mod_user',
    help: 'Changes what a user may do, within a second, and with it what their API tokens may do at most.',
    callers: ADMIN,
    effect: 'changes',
    input: z.object({ name: userName, role }),
    output: z.object({ name: z.string(), role }),
    handler: async (room, { name, role }) => {
      await changeRole(room, name, role);
      return { name, role };
    },
  }),
  fn({
    name: 'del_user',
    help: 'Removes a user and all their API tokens; connections of theirs are closed.',
    callers: ADMIN,
    effect: 'changes',
    input: z.object({ name: userName }),
    output: z.object({ name: z.string() }),
    handler: async (room, { name }, caller) => {
      if (ownerOf(caller.id)?.user === name) {
        throw new InputError('bad_argument', 'nobody removes themself: another admin does');
      }
      await changeRole(room, name, 'viewer'); // first: of two admins who remove each other one stays
      for (const token of await listApiTokens(room.db, name)) {
        await room.management.deleteUser(loginOf(name, token.name));
      }
      await room.management.deleteUser(loginOf(name)); // before the row: a retry must still find it
      await room.db.transaction((tx) => removeUser(tx, name));
      room.people.forget();
      return { name };
    },
  }),
  fn({
    name: 'get_all_user',
    help: 'All users and what they may do.',
    callers: ADMIN,
    effect: 'reads',
    input: z.object({}),
    output: z.array(user),
    handler: async (room) =>
      (await listUsers(room.db)).map((row) => ({ ...row, createdAt: row.createdAt.toISOString() })),
  }),
];

async function changeRole(room: Room, name: string, role: z.infer<typeof user>['role']): Promise<void> {
  await room.db.transaction(async (tx) => {
    const othersAreAdmins = await hasOtherAdmin(tx, name);
    const found = await getUser(tx, name);
    if (!found) throw unknownUser(name);
    if (found.role === 'admin' && role !== 'admin' && !othersAreAdmins) {
      throw new InputError('bad_argument', `${name} is the only admin: make another one first`);
    }
    await setRole(tx, name, role);
  });
  room.people.forget();
}

/** Users of the broker are known to all its vhosts: this may be the login of somebody in another fleet. */
async function refuseOthersLogin(room: Room, login: string): Promise<void> {
  const elsewhere = (await room.management.vhostsOf(login)).filter((one) => one !== room.management.vhost);
  if (elsewhere.length === 0) return;
  const why = `the broker has a user "${login}" of another fleet (vhost ${elsewhere[0]}): choose another name`;
  throw new InputError('name_taken', why);
}

const taken = (name: string) => {
  const remedy = 'mega user role changes what they may do, mega user remove removes them';
  return new MegaError('name_taken', `there is a user "${name}" already; ${remedy}`);
};

export const unknownUser = (name: string) =>
  new InputError('unknown_user', `no user is called "${name}"; mega user list shows all`);

/** Admins act for anybody, others for themselves, and not by way of a token. */
export function mayActFor(caller: Caller, name: string): void {
  if (caller.role === 'admin' || caller.id === loginOf(name)) return;
  throw new MegaError(
    'refused',
    `${caller.id} calls as ${caller.role}; only an admin does this for "${name}"`,
  );
}
