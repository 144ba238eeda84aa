import { heldMessages } from '../../dev/world/broker.ts';
import { until } from '../../dev/world/until.ts';
import type { World } from '../../dev/world/world.ts';

export { askBroker } from '../../dev/world/broker.ts';

/** Waits until nothing lies anywhere, `mega.dead` included, but in the packages' streams. */
export async function untilQueuesAreEmpty(world: World): Promise<void> {
  const look = async () => {
    const held = await heldMessages(world);
    if (held.length === 0) return true;
    throw new Error(held.map(({ queue, messages }) => `${queue}: ${messages}`).join(', '));
  };
  await until('all queues to be empty', look, { deadlineMs: 30_000, pollMs: 250 });
}
