import type { Broker } from '../lib/broker.ts';
import type { Management } from '../lib/management.ts';
import {
  BINDINGS,
  EXCHANGE,
  EXCHANGES,
  HOST_LIMITS,
  HOST_QUEUE_POLICY,
  hostPermissions,
  hostQueue,
  JOINER_LIMITS,
  joinerPermissions,
  joinerUser,
  QUEUES,
} from '../lib/topology.ts';
import type { Context } from './context.ts';
import { getHost } from './store/hosts.ts';

/** Declares what is shared; declaring again what is there changes nothing. */
export async function declareTopology(broker: Broker, management: Management): Promise<void> {
  await broker.withChannel(async (channel) => {
    for (const { name, type } of EXCHANGES) await channel.assertExchange(name, type, { durable: true });
    for (const queue of QUEUES) {
      await channel.assertQueue(queue.name, { durable: true, arguments: queue.arguments });
    }
    for (const { queue, exchange, key } of BINDINGS) await channel.bindQueue(queue, exchange, key);
  });
  const { name, pattern, definition } = HOST_QUEUE_POLICY;
  await management.putPolicy(name, pattern, definition);
}

/** A host's queue and user. The host made its secret itself and sent only RabbitMQ's hash of it. */
export async function provisionHost(
  broker: Broker,
  management: Management,
  host: string,
  passwordHash: string,
) {
  await broker.withChannel(async (channel) => {
    const queue = hostQueue(host);
    await channel.assertQueue(queue, { durable: true });
    await channel.bindQueue(queue, EXCHANGE.task, host);
  });
  await management.putUser(host, passwordHash, hostPermissions(host));
  await management.limitUser(host, HOST_LIMITS);
}

/** A token's user, which goes when the token is over. */
export async function provisionJoiner(management: Management, token: string, passwordHash: string) {
  const user = joinerUser(token);
  await management.putUser(user, passwordHash, joinerPermissions());
  await management.limitUser(user, JOINER_LIMITS);
}

/**
 * To be called after a host's user was touched: it may have been removed meanwhile, and its user must not come back.
 * Whoever removes a host looks once more after its row is gone, so that one of the two sees the other.
 */
export async function unlessRemoved({ db, publisher, management }: Context, host: string): Promise<void> {
  if (!(await getHost(db, host))) await removeHostFromBroker(publisher, management, host);
}

/** The broker ends the connections of a user that is deleted. */
export async function removeHostFromBroker(
  broker: Broker,
  management: Management,
  host: string,
): Promise<void> {
  await management.deleteUser(host);
  await broker.withChannel((channel) => channel.deleteQueue(hostQueue(host)));
}
