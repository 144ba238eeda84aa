import { describe } from '../lib/errors.ts';
import { Subscription } from '../lib/subscription.ts';
import { QUEUE } from '../lib/topology.ts';
import type { Context } from './context.ts';

const PREFETCH = 500;

/**
 * Reads `mega.logs`. Nothing keeps log lines yet, and no agent of ours sends any: what comes is counted, so that no
 * host can keep the broker busy unseen, and forgotten.
 */
export function watchLogs({ consumer, floods, logger }: Context): Subscription {
  return new Subscription(
    consumer,
    {
      queue: QUEUE.logs,
      prefetch: PREFETCH,
      onTrouble: (error) => logger.warn({ queue: QUEUE.logs, error: describe(error) }, 'not reading'),
    },
    (message) => {
      floods.drops(message, 'messages');
      message.ack();
    },
  );
}
