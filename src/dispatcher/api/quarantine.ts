import { z } from 'zod';
import { schemas } from '../../lib/messages.ts';
import { quarantineByHand, releaseVersion } from '../quarantine.ts';
import { fn, OPERATOR } from './function.ts';

const name = schemas.version;

export const quarantineFunctions = [
  fn({
    name: 'quarantine_package',
    help: 'Stops a version for the whole fleet: its jobs pause ("paused" names them), no order to it leaves any more, and new ones are refused, until release_package. Of one that is in quarantine already the answer is its reason.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name, reason: z.string().trim().min(1).max(500) }),
    output: z.object({ name, reason: z.string(), paused: z.array(z.string()) }),
    handler: async (room, { name, reason }, caller) => {
      return { name, ...(await quarantineByHand(room, name, caller.id, reason)) };
    },
  }),
  fn({
    name: 'release_package',
    help: 'Ends the quarantine of a version; who went back from it is counted anew. The jobs that "paused" names stay paused until they are resumed. "released" is false when it was not in quarantine.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name }),
    output: z.object({ name, released: z.boolean(), paused: z.array(z.string()) }),
    handler: async (room, { name }) => ({ name, ...(await releaseVersion(room, name)) }),
  }),
];
