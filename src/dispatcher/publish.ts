import { encode, type Order } from '../lib/messages.ts';
import type { Outgoing } from '../lib/outgoing.ts';
import { EXCHANGE } from '../lib/topology.ts';
import { signBody } from '../lib/trust/jose.ts';
import { uuidv7 } from '../lib/utils.ts';
import type { Context } from './context.ts';
import { claimPending, type DueTask, markUnsent } from './store/due.ts';

/** Confirms in flight: one at a time is twenty times slower, more than a few hundred gains nothing. */
const WINDOW = 400;
/** Not worth the broker's disk: they live for seconds, change nothing, and are sent again when they are wanted. */
const FLEETING = new Set(['ping', 'probe', 'check_upgrade']);
const RETURN_PAUSE_MS = 5_000;
const FAULT_PAUSE_MS = 1_000;

/** Goes once through all that is due: claims some, publishes them, notes what the broker said, claims the next. */
export async function publishDue(context: Context): Promise<void> {
  const { db, config, publisher } = context;
  for (let after = ''; publisher.connected; ) {
    const { due, last } = await claimPending(db, after, config.orderTtlMs, WINDOW);
    if (last === undefined) return;
    await publishAll(context, due);
    after = last;
  }
}

/** All are signed before the first is sent: those of one host must not overtake each other. */
async function publishAll(context: Context, due: DueTask[]): Promise<void> {
  const { db, publisher } = context;
  const messages = await Promise.all(due.map((task) => signed(context, orderOf(task), task.id)));
  const outcomes = await Promise.all(
    messages.map((message) => publisher.publish(message).catch(() => 'failed' as const)),
  );
  const idsOf = (outcome: string) => due.filter((_, i) => outcomes[i] === outcome).map((task) => task.id);
  context.confirmed.note(idsOf('confirmed'));
  await markUnsent(db, idsOf('returned'), true, RETURN_PAUSE_MS);
  await markUnsent(db, idsOf('failed'), false, FAULT_PAUSE_MS);
}

function orderOf({ id, host, type, args, attempt, timeoutMs, ttlMs }: DueTask): Order {
  const now = Date.now();
  const about = { v: 1, task: id, host, sequence: attempt, type, args } as const;
  return { ...about, issued: now, expires: now + ttlMs, timeoutMs };
}

/** Sends one order to its host's queue; `returned` when the host has none. */
export async function sendOrder(context: Context, order: Order, messageId: string) {
  return context.publisher.publish(await signed(context, order, messageId));
}

/** The one way in which orders leave. */
async function signed(context: Context, order: Order, messageId: string): Promise<Outgoing> {
  const body = encode(order);
  return {
    exchange: EXCHANGE.task,
    key: order.host,
    type: 'order',
    messageId,
    correlationId: order.task,
    headers: { jws: await signBody(body, context.orderKey) },
    body,
    expiresMs: Math.max(1, order.expires - order.issued),
    transient: FLEETING.has(order.type),
    mandatory: true,
  };
}

/** Asks a host to stop a task; lost on its way, it is asked again when the host says hello. */
export async function sendCancel(context: Context, task: string, host: string): Promise<void> {
  const now = Date.now();
  const about = { v: 1, task, host, sequence: 1, type: 'cancel', args: {}, timeoutMs: 60_000 } as const;
  await sendOrder(context, { ...about, issued: now, expires: now + context.config.orderTtlMs }, uuidv7());
}
