import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { schemas } from '../../lib/messages.ts';
import { sha256Hex } from '../../lib/token.ts';
import { provisionHost, removeHostFromBroker, unlessRemoved } from '../declare.ts';
import { foreignUser } from '../enrol.ts';
import { shortenCutOff } from '../store/floods.ts';
import { allHosts, getHost, type HostRow, listHosts } from '../store/hosts.ts';
import { addHost, removeHost, setMachine, setSecret } from '../store/registered.ts';
import { cancelTasksOf } from '../store/tasks.ts';
import { selectHosts } from '../targets.ts';
import { fn, OPERATOR, VIEWER } from './function.ts';
import { on } from './on.ts';

const host = z.object({
  id: z.string(),
  online: z.boolean(),
  version: z.string().nullable(),
  platform: z.string().nullable(),
  registeredAt: z.string(),
  lastSeenAt: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  /** It flooded, and may not connect until then. */
  cutOffUntil: z.string().nullable(),
  cutOffReason: z.string().nullable(),
  /** By an operator. */
  hold: z.object({ by: z.string(), reason: z.string(), until: z.string().nullable() }).nullable(),
  /** By its owner, for this reason. */
  ownerHold: z.string().nullable(),
});

/** Without its facts: those of a thousand hosts would not fit into one answer. */
const told = ({ boot: _, facts: __, hold, ...row }: HostRow) => ({
  ...row,
  hold: hold && { ...hold, until: hold.until?.toISOString() ?? null },
  registeredAt: row.registeredAt.toISOString(),
  lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
  cutOffUntil: row.cutOffUntil?.toISOString() ?? null,
});

export const hostFunctions = [
  fn({
    name: 'add_server',
    help: 'Registers a host: its queue and its broker user, with the hash of the secret that the host made itself.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({
      host: schemas.host,
      passwordHash: schemas.passwordHash,
      /** The key of its machine, by which it is known when it joins again. */
      machine: schemas.machine.optional(),
    }),
    output: z.object({ host: z.string() }),
    handler: async (room, input) => {
      const known = await getHost(room.db, input.host);
      if (!known && (await room.management.hasUser(input.host))) {
        throw foreignUser(input.host);
      }
      await addHost(room.db, input.host); // first: what fails from here on is completed by asking again
      await setSecret(room.db, input.host, input.passwordHash);
      if (input.machine) await setMachine(room.db, input.host, sha256Hex(input.machine));
      await provisionHost(room.publisher, room.management, input.host, input.passwordHash);
      return { host: input.host };
    },
  }),
  fn({
    name: 'del_server',
    help: 'Removes a host: its broker user and queue. Its tasks stay as history. "wasOnline" says whether its agent ran.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ host: schemas.host }),
    output: z.object({ host: z.string(), wasOnline: z.boolean() }),
    handler: async (room, input) => {
      const row = await getHost(room.db, input.host);
      if (!row) throw unknown(input.host);
      await removeHostFromBroker(room.publisher, room.management, input.host); // first: a retry must still find it
      await room.db.transaction(async (db) => {
        await cancelTasksOf(db, input.host);
        await removeHost(db, input.host);
      });
      await unlessRemoved(room, input.host);
      return { host: input.host, wasOnline: row.online };
    },
  }),
  fn({
    name: 'release_server',
    help: 'Lets a host that flooded and was cut off connect again at once; "released" is false when it is not cut off.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ host: schemas.host }),
    output: z.object({ host: z.string(), released: z.boolean() }),
    handler: async (room, input) => {
      if (!(await getHost(room.db, input.host))) throw unknown(input.host);
      const released = await shortenCutOff(room.db, input.host);
      await room.floods.settle(input.host);
      return { host: input.host, released };
    },
  }),
  fn({
    name: 'get_server',
    help: 'One host, with what it has told of itself ("facts").',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({ host: schemas.host }),
    output: host.extend({ facts: schemas.json }),
    handler: async (room, input) => {
      const row = await getHost(room.db, input.host);
      if (!row) throw unknown(input.host);
      return { ...told(row), facts: row.facts };
    },
  }),
  fn({
    name: 'get_all_server',
    help: 'Hosts in order of id, at most 1000 a call; pass the last id as "after" for the next ones. "on" leaves out those whom these targets do not mean.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      after: schemas.afterHost.default(''),
      limit: z.int().min(1).max(1000).default(1000),
      on: on.optional(),
    }),
    output: z.array(host),
    handler: async (room, { after, limit, on: targets }) => {
      if (!targets) return (await listHosts(room.db, after, limit)).map(told);
      const meant = selectHosts(await allHosts(room.db), targets);
      return meant
        .filter(({ id }) => id > after)
        .slice(0, limit)
        .map(told);
    },
  }),
];

const unknown = (id: string) =>
  new InputError('unknown_host', `no host is called "${id}"; mega host list shows all`);
