import type { Incoming } from '../lib/subscription.ts';
import { QUEUE } from '../lib/topology.ts';
import { sleep, uuidv7 } from '../lib/utils.ts';
import type { Context } from './context.ts';

const MAX_PARKED_BYTES = 64 << 10;
const AGAIN_MS = 1_000;

/**
 * Puts what cannot be used into `mega.dead` with the reason and the sender in headers of ours (to publish again
 * under another's `user-id` would close the channel), then acknowledges it. Never rejects: what could not be parked
 * goes back to its queue after a pause, and comes again.
 */
export async function park(context: Context, message: Incoming, reason: string): Promise<void> {
  const sender = message.userId || 'unknown';
  context.logger.warn({ sender, reason }, 'a message was parked in mega.dead');
  try {
    await parkBody(context, message.body, { reason, sender, type: message.type });
    message.ack();
  } catch {
    await sleep(AGAIN_MS);
    message.nack(true);
  }
}

export async function parkBody(
  context: Context,
  body: Buffer,
  why: { reason: string; sender: string; type: string },
) {
  const { reason, sender, type } = why;
  await context.publisher.publish({
    exchange: '',
    key: QUEUE.dead,
    type: type || 'unknown',
    messageId: uuidv7(),
    headers: { 'x-reason': reason.slice(0, 1000), 'x-sender': sender, 'x-bytes': body.length },
    body: body.subarray(0, MAX_PARKED_BYTES),
  });
}
