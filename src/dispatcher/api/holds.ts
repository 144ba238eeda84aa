import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { idsOf } from '../inventory.ts';
import { endHold, setHold } from '../store/holds.ts';
import { allHosts } from '../store/hosts.ts';
import { selectHosts } from '../targets.ts';
import { fn, OPERATOR } from './function.ts';
import { on } from './on.ts';

const MAX_HOLD_MS = 3650 * 86_400_000;
/** An answer must fit into one message. */
const MOST_TOLD = 100;

export const holdReason = z.string().trim().min(1).max(500);
const held = z.object({ host: z.string(), reason: z.string() });

export const holdFunctions = [
  fn({
    name: 'hold_server',
    help: 'Keeps hosts out: they get no order but a ping until the hold is ended, or "until" a time, or "forMs". Their tasks wait; what has begun goes on.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({
      on,
      reason: holdReason,
      until: z.iso.datetime({ offset: true }).optional(),
      forMs: z.int().min(1_000).max(MAX_HOLD_MS).optional(),
    }),
    output: z.object({ hosts: z.number() }),
    handler: async (room, { on: targets, reason, until, forMs }, caller) => {
      if (until !== undefined && forMs !== undefined)
        throw new InputError('bad_argument', '"until" and "forMs" say two ends: give one of them');
      if (until !== undefined && Date.parse(until) <= Date.now())
        throw new InputError('bad_argument', `${until} is over: give a time that is to come`);
      const ids = await idsOf(room.db, targets);
      const end = { until: until === undefined ? null : new Date(until), forMs: forMs ?? null };
      await room.db.transaction((tx) => setHold(tx, ids, { by: caller.id, reason, ...end }));
      return { hosts: ids.length };
    },
  }),
  fn({
    name: 'unhold_server',
    help: 'Ends the holds of operators. "released" is of how many hosts there was one; "held" are those whose owners still hold them, which only they can end, at most 100.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ on }),
    output: z.object({ hosts: z.number(), released: z.number(), held: z.array(held) }),
    handler: async (room, { on: targets }) => {
      const hosts = selectHosts(await allHosts(room.db), targets);
      const ids = hosts.map((host) => host.id);
      const released = await room.db.transaction((tx) => endHold(tx, ids));
      room.kick();
      const still = hosts.flatMap(({ id, ownerHold }) =>
        ownerHold === null ? [] : [{ host: id, reason: ownerHold }],
      );
      return { hosts: hosts.length, released, held: still.slice(0, MOST_TOLD) };
    },
  }),
];
