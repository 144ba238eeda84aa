import {
  BINDINGS,
  DISPATCHER_PREFIX,
  EXCHANGE,
  HOST_QUEUE_PREFIX,
  hostPermissions,
  hostQueue,
  JOINER_PREFIX,
  OPERATOR_PREFIX,
} from '../../lib/topology.ts';
import { HOST_ID } from '../../lib/utils.ts';
import { type Difference, FIX } from './difference.ts';
import { type Books, type BrokerState, keyOf } from './look.ts';

/** What the broker has and the database does not know: pure. */
export function strays(broker: BrokerState, books: Books): Difference[] {
  const hosts = new Set(books.hosts.map((one) => one.id));
  const tokens = new Set(books.tokens.map((one) => one.id));
  const users = [...broker.access.keys()].flatMap((name) => strayUser(broker, name, hosts, tokens));
  const queues = [...broker.queues].flatMap((name) => strayQueue(broker, name, hosts));
  return [...users, ...queues, ...strayBindings(broker, hosts)];
}

/**
 * A user is a host's or a token's only by its name and by what it may do in this vhost: users are shared by all
 * vhosts, and an administrator's name may well look like a host's.
 */
function strayUser(
  { users, access }: BrokerState,
  name: string,
  hosts: Set<string>,
  tokens: Set<string>,
): Difference[] {
  const isKnown = hosts.has(name) || name.startsWith(OPERATOR_PREFIX) || name.startsWith(DISPATCHER_PREFIX);
  if (isKnown || (users.get(name)?.tags.length ?? 0) > 0) return [];
  const subject = `user ${name}`;
  if (name.startsWith(JOINER_PREFIX)) {
    const token = name.slice(JOINER_PREFIX.length);
    if (tokens.has(token)) return [];
    const problem = 'its token is over, or was never made';
    return [{ subject, problem, remedy: FIX, mend: { do: 'remove_joiner', token } }];
  }
  if (HOST_ID.test(name) && access.get(name)?.read === hostPermissions(name).access.read) {
    const problem = 'a host that is not registered';
    return [{ subject, problem, remedy: FIX, mend: { do: 'remove_host', host: name } }];
  }
  const remedy = 'if nobody needs it, take its permissions away in the RabbitMQ page';
  return [{ subject, problem: 'may use the vhost, and mega does not know it', remedy }];
}

function strayQueue({ access }: BrokerState, name: string, hosts: Set<string>): Difference[] {
  const host = name.slice(HOST_QUEUE_PREFIX.length);
  if (!name.startsWith(HOST_QUEUE_PREFIX) || hosts.has(host)) return [];
  if (access.get(host)?.read === hostPermissions(host).access.read) return []; // it goes along with its user
  const mend = { do: 'remove_queue', host } as const; // the user of that name may be somebody else's
  return [{ subject: `queue ${name}`, problem: 'of a host that is not registered', remedy: FIX, mend }];
}

/** Orders that go to another host than the one they name, and words that go to more than their readers. */
function strayBindings({ bindings, queues }: BrokerState, hosts: Set<string>): Difference[] {
  const ours = new Set(BINDINGS.map(keyOf));
  return [...bindings.values()].flatMap((one): Difference[] => {
    const { exchange, key, queue } = one;
    const host = queue.slice(HOST_QUEUE_PREFIX.length);
    if (ours.has(keyOf(one)) || (exchange === EXCHANGE.task && queue === hostQueue(key))) return [];
    const subject = `binding of ${queue}`;
    const problem = `gets what ${exchange} has for ${key}`;
    const isHosts = queue.startsWith(HOST_QUEUE_PREFIX) && queues.has(queue) && hosts.has(host);
    if (isHosts) return [{ subject, problem, remedy: FIX, mend: { do: 'unbind', binding: one } }];
    if (queue.startsWith(HOST_QUEUE_PREFIX)) return []; // it goes along with its queue
    return [{ subject, problem, remedy: 'if nobody needs it, remove it in the RabbitMQ page' }];
  });
}
