import { describe } from '../lib/errors.ts';
import { encode } from '../lib/messages.ts';
import { EXCHANGE, upKey } from '../lib/topology.ts';
import { uuidv7, withDeadline } from '../lib/utils.ts';
import type { Room } from './room.ts';

const PATIENCE_MS = 1_000;

/**
 * The last word of a process after which none comes by itself, so that the host counts as away at once. A courtesy:
 * unsaid or lost, the host's silence says the same a minute later.
 */
export async function sayGoodbye({ broker, host, boot, logger }: Room): Promise<void> {
  if (!broker.connected) return;
  const said = broker.publish({
    exchange: EXCHANGE.up,
    key: upKey('event', host),
    type: 'goodbye',
    messageId: uuidv7(),
    body: encode({ kind: 'goodbye', host, boot }),
    transient: true,
  });
  const late = () => new Error(`not confirmed within ${PATIENCE_MS} ms`);
  await withDeadline(said, PATIENCE_MS, late).catch((error: unknown) => {
    logger.info({ error: describe(error) }, 'stopping without a goodbye');
  });
}
