import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { until } from '../../dev/world/until.ts';
import type { World } from '../../dev/world/world.ts';
import { Broker } from '../../src/lib/broker.ts';
import type { Conn } from '../../src/lib/conn.ts';
import type { Home } from '../../src/lib/home.ts';
import { encode, type Order } from '../../src/lib/messages.ts';
import { EXCHANGE, QUEUE } from '../../src/lib/topology.ts';
import { signBody } from '../../src/lib/trust/jose.ts';
import { keyFromBase64 } from '../../src/lib/trust/keys.ts';
import { uuidv7 } from '../../src/lib/utils.ts';
import { askBroker } from './outage-broker.ts';

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;

async function connect(url: string): Promise<Broker> {
  const broker = await Broker.start({ url, name: 'once test', reconnectMs: 200 });
  await broker.ready(10_000);
  return broker;
}

export const asDispatcher = (world: World) => connect(json(world.dispatcherConfig).broker!);

/** As the host whose home this is: with what a thief of its disk would have. */
export function asHost(home: Home): Promise<Broker> {
  const { host, secret } = json(home.identity);
  const url = new URL(json(home.config).broker!);
  url.username = host!;
  url.password = secret!;
  return connect(url.href);
}

/** The order of a task that is in the database, as the dispatcher itself would send it. */
export async function orderOf(db: Conn, task: string): Promise<Order> {
  const row = await db.one<{ host: string; type: string; args: string; timeoutMs: number; sequence: number }>(
    'SELECT host_id AS host, type, args, timeout_ms AS timeoutMs, attempts AS sequence FROM tasks WHERE id = ?',
    [task],
  );
  const { host, type, timeoutMs, sequence } = row!;
  const args = typeof row!.args === 'string' ? (JSON.parse(row!.args) as Order['args']) : row!.args;
  const now = Date.now();
  const times = { issued: now, expires: now + 60_000, timeoutMs: Number(timeoutMs) };
  return { v: 1, task, host, sequence, type, args, ...times };
}

/** What this world's dispatchers sign with. */
export function orderKeyOf(world: World): KeyObject {
  const { keys } = JSON.parse(readFileSync(world.dispatcherConfig, 'utf8')) as { keys: { orders: string } };
  return keyFromBase64(keys.orders);
}

/** Puts an order into its host's queue, signed by this key. */
export async function sendOrder(dispatcher: Broker, order: Order, key: KeyObject): Promise<void> {
  const body = encode(order);
  await sendBody(dispatcher, order.host, body, { jws: await signBody(body, key) });
}

export async function sendBody(
  dispatcher: Broker,
  host: string,
  body: Buffer,
  headers: object,
): Promise<void> {
  const address = { exchange: EXCHANGE.task, key: host, type: 'order', mandatory: true, messageId: uuidv7() };
  await dispatcher.publish({ ...address, headers: { ...headers }, body });
}

export async function messagesIn(dispatcher: Broker, queue: string): Promise<number> {
  return (await dispatcher.withChannel((channel) => channel.checkQueue(queue))).messageCount;
}

export type Dead = { reason: string; sender: string; body: Buffer };

/** Takes what lies in `mega.dead`, until there are `count`. */
export async function takeDead(dispatcher: Broker, count: number): Promise<Dead[]> {
  const found: Dead[] = [];
  await until(`${count} messages in ${QUEUE.dead}`, () =>
    dispatcher.withChannel(async (channel) => {
      for (;;) {
        const message = await channel.get(QUEUE.dead, { noAck: true });
        if (!message) return found.length >= count;
        const headers = message.properties.headers ?? {};
        const told = { reason: String(headers['x-reason']), sender: String(headers['x-sender']) };
        found.push({ ...told, body: message.content });
      }
    }),
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${found.map((one) => `${one.sender}: ${one.reason}`).join('; ')}`);
  });
  return found;
}

/** Says this as that host, under its own key. */
export async function say(host: Broker, kind: 'result' | 'event' | 'call', body: Buffer, replyTo?: string) {
  const about = { type: kind, messageId: uuidv7(), ...(replyTo ? { replyTo } : {}) };
  await host.publish({ exchange: EXCHANGE.up, key: `${kind}.${host.user}`, mandatory: true, ...about, body });
}

type Connection = { name: string; user: string; client_properties?: { connection_name?: string } };

/** Ends the connections of all agents and dispatchers at the broker, as an administrator would by force. */
export async function closeConnections(world: World): Promise<number> {
  const all = await askBroker<Connection[]>(world, 'GET', `vhosts/${world.name}/connections`);
  const theirs = all.filter((one) =>
    /^mega (agent|dispatcher)/.test(one.client_properties?.connection_name ?? ''),
  );
  const gone = (error: Error) => {
    if (!/HTTP 404/.test(error.message)) throw error;
  };
  const end = (name: string) =>
    askBroker(world, 'DELETE', `connections/${encodeURIComponent(name)}`).catch(gone);
  await Promise.all(theirs.map(({ name }) => end(name)));
  return theirs.length;
}
