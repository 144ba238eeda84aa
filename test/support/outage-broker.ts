import { until } from '../../dev/world/until.ts';
import type { World } from '../../dev/world/world.ts';

/** The management API of the world's broker, as its administrator. */
export async function askBroker<T>(world: World, method: 'GET' | 'DELETE', path: string): Promise<T> {
  const url = new URL(world.servers.rabbitmq.managementUrl);
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const response = await fetch(`${url.protocol}//${url.host}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}` },
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${await response.text()}`);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

type Queue = { name: string; messages?: number };

/** Waits until nothing lies anywhere, `mega.dead` included, but in the packages' streams. */
export async function untilQueuesAreEmpty(world: World): Promise<void> {
  let held: string[] = [];
  const look = async () => {
    const queues = await askBroker<Queue[]>(world, 'GET', `queues/${world.name}`);
    // A queue without a figure was not counted yet: the broker's statistics lag by some seconds.
    held = queues
      .filter(({ name, messages }) => !name.startsWith('mega.package.') && messages !== 0)
      .map(({ name, messages }) => `${name}: ${messages}`);
    return queues.length > 0 && held.length === 0;
  };
  await until('all queues to be empty', look, { deadlineMs: 30_000, pollMs: 250 }).catch((error: Error) => {
    throw new Error(`${error.message}; ${held.join(', ')}`);
  });
}
