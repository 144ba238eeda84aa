import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { schemas } from '../../lib/messages.ts';
import { provisionHost, removeHostFromBroker } from '../declare.ts';
import { addHost, getHost, type HostRow, listHosts, removeHost } from '../store/hosts.ts';
import { cancelTasksOf } from '../store/tasks.ts';
import { fn, OPERATOR } from './function.ts';

const host = z.object({
  id: z.string(),
  online: z.boolean(),
  version: z.string().nullable(),
  platform: z.string().nullable(),
  registeredAt: z.string(),
  lastSeenAt: z.string().nullable(),
});

const told = ({ boot: _, ...row }: HostRow) => ({
  ...row,
  registeredAt: row.registeredAt.toISOString(),
  lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
});

export const hostFunctions = [
  fn({
    name: 'add_server',
    help: 'Registers a host: its queue and its broker user, with the hash of the secret that the host made itself.',
    callers: OPERATOR,
    input: z.object({ host: schemas.host, passwordHash: z.string().regex(/^[A-Za-z0-9+/=]{40,100}$/) }),
    output: z.object({ host: z.string() }),
    handler: async (room, input) => {
      const known = await getHost(room.db, input.host);
      if (!known && (await room.management.hasUser(input.host))) {
        const why = `the broker has a user "${input.host}" that is no host of this fleet: choose another name`;
        throw new InputError('name_taken', why);
      }
      await addHost(room.db, input.host); // first: what fails from here on is completed by asking again
      await provisionHost(room.publisher, room.management, input.host, input.passwordHash);
      return { host: input.host };
    },
  }),
  fn({
    name: 'del_server',
    help: 'Removes a host: its broker user and queue. Its tasks stay as history.',
    callers: OPERATOR,
    input: z.object({ host: schemas.host }),
    output: z.object({ host: z.string() }),
    handler: async (room, input) => {
      if (!(await getHost(room.db, input.host))) throw unknown(input.host);
      await removeHostFromBroker(room.publisher, room.management, input.host); // first: a retry must still find it
      await room.db.transaction(async (db) => {
        await cancelTasksOf(db, input.host);
        await removeHost(db, input.host);
      });
      return { host: input.host };
    },
  }),
  fn({
    name: 'get_server',
    help: 'One host.',
    callers: OPERATOR,
    input: z.object({ host: schemas.host }),
    output: host,
    handler: async (room, input) => {
      const row = await getHost(room.db, input.host);
      if (!row) throw unknown(input.host);
      return told(row);
    },
  }),
  fn({
    name: 'get_all_server',
    help: 'Hosts in order of id, at most 1000 a call; pass the last id as "after" for the next ones.',
    callers: OPERATOR,
    input: z.object({ after: schemas.afterHost.default(''), limit: z.int().min(1).max(1000).default(1000) }),
    output: z.array(host),
    handler: async (room, { after, limit }) => (await listHosts(room.db, after, limit)).map(told),
  }),
];

const unknown = (id: string) =>
  new InputError('unknown_host', `no host is called "${id}"; mega host list shows all`);
