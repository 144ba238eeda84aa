import { readFileSync } from 'node:fs';
import { SimulatedHost } from '../../bench/hosts/host.ts';
import { SECRET } from '../../bench/hosts/names.ts';
import type { World } from '../../dev/world/world.ts';
import type { TaskType } from '../../src/agent/tasks/task.ts';
import { hashPassword } from '../../src/lib/management.ts';
import { keyFromBase64, publicHex } from '../../src/lib/trust/keys.ts';

/** Registers hosts and runs them in this process, with these types beside ping; resolves when all were heard. */
export async function simulatedHosts(
  world: World,
  ids: string[],
  typesOf: (id: string) => TaskType[],
): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const { keys } = JSON.parse(readFileSync(world.dispatcherConfig, 'utf8')) as { keys: { orders: string } };
  const orderKey = publicHex(keyFromBase64(keys.orders));
  const { amqpPort } = world.servers.rabbitmq;
  for (const id of ids) {
    await world.call('add_server', { host: id, passwordHash: hashPassword(SECRET) });
    opened.defer(() => world.management.deleteUser(id).then(() => undefined));
    const common = { amqpPort, orderKey, vhost: world.name, journal: ':memory:', heartbeatMs: 500 };
    opened.use(await SimulatedHost.start({ id, ...common, onRun: () => undefined, types: typesOf(id) }));
  }
  await world.untilOnline(ids);
  return opened.move();
}

/** An upgrade that was rolled back, as its host would tell it; each waits for `when`. */
export const goesBack = (when: (host: string) => Promise<unknown> = async () => undefined): TaskType => ({
  name: 'client_upgrade',
  lane: 'exclusive',
  onCrash: 'interrupted',
  run: async ({ room, entry }) => {
    await when(room.host);
    return { state: 'failed', phase: 'rolled_back', reason: `${entry.order.args.to} crashed at its start` };
  },
});
