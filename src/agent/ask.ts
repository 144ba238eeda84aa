import { z } from 'zod';
import type { AgentConfig } from '../lib/config.ts';
import { MegaError } from '../lib/errors.ts';
import { check } from '../lib/messages.ts';
import { openSender } from '../lib/sender.ts';
import { sleep } from '../lib/utils.ts';
import { heldBecause } from './hold.ts';

const POLL_MS = 500;
const OPEN = ['pending', 'queued', 'accepted', 'running', 'cancelling'];
const task = z.object({
  state: z.string(),
  phase: z.string().nullable(),
  reason: z.string().nullable(),
  running: z.string().nullable(),
});

/**
 * This host asks for its own upgrade over RPC, and follows it to its end: `mega_client upgrade [--to 1.1.0]`. The
 * agent that does the work is another process, and it may well restart while we watch.
 */
export async function askForUpgrade(
  config: AgentConfig,
  to: string | undefined,
  tell: (line: string) => void,
) {
  const held = heldBecause(config.home);
  if (held !== undefined) {
    const remedy = `remove ${config.home.hold} first`;
    throw new MegaError('held', `the owner of this host lets nothing happen on it: ${held}; ${remedy}`);
  }
  await using sender = await openSender(config);
  const asked = check(z.object({ task: z.uuid() }), await sender.call('client_upgrade', to ? { to } : {}));
  tell(`task ${asked.task}`);
  let last = '';
  for (;;) {
    const now = check(task, await sender.call('get_task', { id: asked.task }));
    const line = [now.state, now.phase, now.running, now.reason].filter(Boolean).join(' ');
    if (line !== last) tell(line);
    last = line;
    if (!OPEN.includes(now.state)) {
      if (now.state === 'succeeded' || now.state === 'skipped') return;
      throw new MegaError(now.state, `the upgrade ended as ${line}`);
    }
    await sleep(POLL_MS);
  }
}
