import { z } from 'zod';
import { InputError, MegaError } from '../../lib/errors.ts';
import { schemas } from '../../lib/messages.ts';
import { lesserRole, loginOf, TOKEN_NAME } from '../../lib/people.ts';
import { operatorPermissions } from '../../lib/topology.ts';
import {
  type ApiTokenRow,
  addApiToken,
  findApiToken,
  listApiTokens,
  removeApiToken,
} from '../store/api-tokens.ts';
import { getUser } from '../store/users.ts';
import { fn, VIEWER } from './function.ts';
import { mayActFor, passwordHash, role, unknownUser, userName } from './users.ts';

const MINUTE_MS = 60_000;
const YEAR_MS = 366 * 24 * 60 * MINUTE_MS;

const tokenName = z.string().regex(TOKEN_NAME, 'a name of a-z, 0-9, _ and -, at most 40');
const token = z.object({
  user: z.string(),
  name: z.string(),
  login: z.string(),
  role,
  createdAt: z.string(),
  createdBy: z.string(),
  expiresAt: z.string(),
});

const told = ({ owner, createdAt, expiresAt, ...row }: ApiTokenRow): z.infer<typeof token> => ({
  ...row,
  user: owner,
  login: loginOf(owner, row.name),
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt.toISOString(),
});

export const apiTokenFunctions = [
  fn({
    name: 'add_api_token',
    help: 'Makes an API token of a user: a login for a script, which expires. Its secret stays with the caller.',
    callers: VIEWER,
    effect: 'changes',
    input: z.object({
      user: userName,
      name: tokenName,
      role,
      ttlMs: z.int().min(MINUTE_MS).max(YEAR_MS),
      passwordHash,
      secretSha256: schemas.sha256,
    }),
    output: token,
    handler: async (room, { user: owner, passwordHash, ...wanted }, caller) => {
      mayActFor(caller, owner);
      const found = await getUser(room.db, owner);
      if (!found) throw unknownUser(owner);
      if (lesserRole(found.role, wanted.role) !== wanted.role) {
        const why = `${owner} is ${found.role}, and no token of theirs may be ${wanted.role}`;
        throw new InputError('bad_argument', why);
      }
      const callKey = `${caller.id}:${caller.key}`;
      const row = await addApiToken(room.db, { ...wanted, owner, by: caller.id, callKey });
      if (!row) throw taken(owner, wanted.name);
      await room.management.putUser(loginOf(owner, wanted.name), passwordHash, operatorPermissions());
      room.people.forget();
      return told(row);
    },
  }),
  fn({
    name: 'del_api_token',
    help: 'Revokes an API token; connections of its login are closed.',
    callers: VIEWER,
    effect: 'changes',
    input: z.object({ user: userName, name: tokenName }),
    output: z.object({ login: z.string() }),
    handler: async (room, { user, name }, caller) => {
      mayActFor(caller, user);
      const login = loginOf(user, name);
      const known = (await listApiTokens(room.db, user)).some((one) => one.name === name);
      if (!known) {
        throw new InputError(
          'unknown_token',
          `${user} has no API token "${name}"; mega user token list shows all`,
        );
      }
      await room.management.deleteUser(login); // before the row: a retry must still find it
      await removeApiToken(room.db, user, name);
      room.people.forget();
      return { login };
    },
  }),
  fn({
    name: 'get_all_api_token',
    help: 'The API tokens of a user, or of all; with "secretSha256" the one whose secret has that sha256. Who is no admin sees their own.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({ user: userName.optional(), secretSha256: schemas.sha256.optional() }),
    output: z.array(token),
    handler: async (room, { user, secretSha256 }, caller) => {
      const rows = secretSha256
        ? await findApiToken(room.db, secretSha256)
        : await listApiTokens(room.db, user);
      const mine = ({ owner }: ApiTokenRow) => caller.role === 'admin' || caller.id === loginOf(owner);
      return rows.filter(mine).map(told);
    },
  }),
];

const taken = (owner: string, name: string) => {
  const remedy = `mega user token revoke ${owner} ${name} removes it`;
  return new MegaError('name_taken', `${owner} has an API token "${name}" already; ${remedy}`);
};
