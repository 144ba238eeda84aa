import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { schemas } from '../../lib/messages.ts';
import { uuidv7 } from '../../lib/utils.ts';
import { sendCancel, sendOrder } from '../publish.ts';
import { probeFor } from '../store/tasks.ts';
import { AGENT, fn, type Room } from './function.ts';

const PROBE_TTL_MS = 60_000;

/**
 * An agent's hello when it connects, and again while it is on trial. The answer carries our clock; on trial it
 * is followed by a probe through the host's own queue, which the new process must answer (I3).
 */
export const client_ping = fn({
  name: 'client_ping',
  help: 'A host says that it is there, what it runs, why its owner holds it ("held") if so, and which upgrade it is on trial for; the answer carries the time.',
  callers: AGENT,
  effect: 'changes',
  signed: true,
  input: z.object({
    boot: z.uuid(),
    version: schemas.version,
    platform: schemas.platform,
    held: schemas.reason.optional(),
    /** The upgrade task whose new release is asking to be probed. */
    trial: z.uuid().optional(),
  }),
  output: z.object({
    time: z.number(),
    probed: z.boolean(),
    /** For how long we have been hearing hosts without a break: silence before that is no host's fault. */
    steadyMs: z.number(),
  }),
  handler: async (room, { boot, version, platform, held, trial }, caller) => {
    const cancelling = await room.greetings.greet({ host: caller.id, boot, version, platform, held });
    room.kick();
    for (const task of cancelling) await sendCancel(room, task, caller.id);
    const probed = trial !== undefined && (await sendProbe(room, trial, caller.id, boot));
    return { time: Date.now(), probed, steadyMs: room.steadyMs() };
  },
});

async function sendProbe(room: Room, task: string, host: string, boot: string): Promise<boolean> {
  const nonce = await probeFor(room.db, task, host, boot, randomBytes(16).toString('hex'));
  if (nonce === undefined) return false;
  const issued = Date.now();
  const about = { v: 1, task, host, sequence: 1, type: 'probe', args: { nonce, boot } } as const;
  const times = { issued, expires: issued + PROBE_TTL_MS, timeoutMs: PROBE_TTL_MS };
  const outcome = await sendOrder(room, { ...about, ...times }, uuidv7());
  return outcome === 'confirmed';
}
