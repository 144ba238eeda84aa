import { z } from 'zod';
import { limits, limitsWanted } from '../../lib/limits.ts';
import { schemas, trialWanted } from '../../lib/messages.ts';
import { startCheck } from '../jobs/check.ts';
import { fn, OPERATOR } from './function.ts';

export const check_upgrade = fn({
  name: 'check_upgrade',
  help: 'Asks hosts what client_upgrade with the same arguments would do, and changes nothing: a job whose tasks say it host by host, in the wave in which each would come. "limits" are those that would hold, "earlier" how long the latest upgrades took.',
  callers: OPERATOR,
  effect: 'changes',
  input: z.object({
    to: schemas.version.optional(),
    on: z.array(z.string().min(1).max(200)).min(1).max(10_000),
    trial: trialWanted,
    downgrade: z.boolean().default(false),
    limits: limitsWanted,
  }),
  output: z.object({
    job: z.string(),
    to: z.string(),
    limits: limits.nullable(),
    earlier: z.object({ hosts: z.number(), medianMs: z.number() }).nullable(),
  }),
  handler: async (room, request, caller) => {
    const answer = await startCheck(room, request, { by: caller.id, key: caller.key });
    room.kick();
    return answer;
  },
});
