import type { World } from './world.ts';

/** The management API of the world's broker, as its administrator. */
export async function askBroker<T>(
  world: World,
  method: 'GET' | 'DELETE' | 'POST' | 'PUT',
  path: string,
  body?: object,
): Promise<T> {
  const url = new URL(world.servers.rabbitmq.managementUrl);
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const response = await fetch(`${url.protocol}//${url.host}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(login).toString('base64')}`,
      'content-type': 'application/json',
    },
    signal: AbortSignal.timeout(10_000),
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${await response.text()}`);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** A queue without a figure was not counted yet: the broker's statistics lag by some seconds. */
export type Held = { queue: string; messages: number | undefined };

/**
 * What lies anywhere, `mega.dead` included, but in the packages' streams; empty when nothing does. Error: when the
 * broker names no queue at all.
 */
export async function heldMessages(world: World): Promise<Held[]> {
  const path = `queues/${encodeURIComponent(world.name)}`;
  const queues = await askBroker<{ name: string; messages?: number }[]>(world, 'GET', path);
  if (queues.length === 0) throw new Error('the broker names no queue');
  return queues
    .filter(({ name, messages }) => !name.startsWith('mega.package.') && messages !== 0)
    .map(({ name, messages }) => ({ queue: name, messages }));
}
