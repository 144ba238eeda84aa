import { z } from 'zod';
import { endFreeze, getFreeze, setFreeze } from '../store/freeze.ts';
import { fn, OPERATOR, VIEWER } from './function.ts';

const freeze = z.object({ frozen: z.boolean(), reason: z.string(), by: z.string(), at: z.string() }).partial({
  ...{ reason: true, by: true, at: true },
});

export const freezeFunctions = [
  fn({
    name: 'freeze',
    help: 'Stops everything now: nothing but pings is sent to any host until it is ended. What is under way goes on.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ reason: z.string().min(1).max(500) }),
    output: z.object({ changed: z.boolean() }),
    handler: async ({ db }, { reason }, caller) => ({ changed: await setFreeze(db, reason, caller.id) }),
  }),
  fn({
    name: 'unfreeze',
    help: 'Ends a freeze: all goes on where it was.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({}),
    output: z.object({ changed: z.boolean() }),
    handler: async (room) => {
      const changed = await endFreeze(room.db);
      room.kick();
      return { changed };
    },
  }),
  fn({
    name: 'get_freeze',
    help: 'Whether all is frozen, by whom, since when and why.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({}),
    output: freeze,
    handler: async ({ db }) => {
      const found = await getFreeze(db);
      return found ? { frozen: true, ...found, at: found.at.toISOString() } : { frozen: false };
    },
  }),
];
