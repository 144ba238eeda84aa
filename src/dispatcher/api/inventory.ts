import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { labelChanges } from '../../lib/labels.ts';
import { schemas } from '../../lib/messages.ts';
import { type Changed, idsOf, importHosts, labelHosts } from '../inventory.ts';
import type { Entry } from '../store/inventory.ts';
import { fn, OPERATOR } from './function.ts';
import { holdReason } from './holds.ts';
import { on } from './on.ts';

/** An answer must fit into one message. */
const MOST_TOLD = 1_000;

const hold = z.object({ reason: z.string(), until: z.string().nullable() });
const said = z.object({ labels: z.record(z.string(), z.string()), hold: hold.nullable() });
const changed = z.object({ host: z.string(), before: said, after: said });

const brought = z.object({
  hosts: z.array(schemas.host).min(1).max(50_000),
  labels: labelChanges.optional(),
  hold: z
    .object({
      reason: holdReason,
      until: z.iso
        .datetime({ offset: true })
        .transform((text) => new Date(text))
        .nullable()
        .default(null),
    })
    .nullable()
    .optional(),
});

export const inventoryFunctions = [
  fn({
    name: 'mod_server',
    help: 'Gives labels to hosts, and takes away those whose value is null; others stay. "host" is one, "on" are targets.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ host: schemas.host.optional(), on: on.optional(), labels: labelChanges }),
    output: z.object({ hosts: z.number(), changed: z.number() }),
    handler: async (room, { host, on: targets = [], labels }) => {
      const terms = host === undefined ? targets : [host, ...targets];
      if (terms.length === 0) throw new InputError('bad_argument', 'name a host, or targets as "on"');
      const ids = await idsOf(room.db, terms);
      return { hosts: ids.length, changed: await labelHosts(room, ids, labels) };
    },
  }),
  fn({
    name: 'import_server',
    help: 'Sets labels and holds of many hosts, all in one transaction. A label that is null goes, one that is not named stays; a hold that is null ends, one that is not said stays. Where a host is not known nothing is done, unless "skipUnknown"; nor with "dryRun". "changes" are at most 1000.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({
      changes: z.array(brought).max(50_000),
      skipUnknown: z.boolean().default(false),
      dryRun: z.boolean().default(false),
    }),
    output: z.object({
      applied: z.boolean(),
      hosts: z.number(),
      unknown: z.array(z.string()),
      changes: z.array(changed),
    }),
    handler: async (room, { changes, skipUnknown, dryRun }, caller) => {
      const how = { by: caller.id, skipUnknown, dryRun };
      const { applied, unknown, changed: all } = await importHosts(room, changes, how);
      if (applied) room.kick();
      const first = { unknown: unknown.slice(0, MOST_TOLD), changes: all.slice(0, MOST_TOLD).map(told) };
      return { applied, hosts: all.length, ...first };
    },
  }),
];

const told = ({ before, after }: Changed) => ({ host: after.id, before: plain(before), after: plain(after) });

const plain = ({ labels, hold: one }: Entry) => ({
  labels,
  hold: one && { reason: one.reason, until: one.until?.toISOString() ?? null },
});
