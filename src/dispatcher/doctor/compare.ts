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
  type Permissions,
  QUEUES,
} from '../../lib/topology.ts';
import type { Registered } from '../store/registered.ts';
import type { TokenUser } from '../store/tokens.ts';
import { type Difference, FIX } from './difference.ts';
import { type Books, type BrokerState, keyOf } from './look.ts';
import { strays } from './strays.ts';

/** How the broker differs from the database: pure. What is wrong with one subject is one difference. */
export function compare(broker: BrokerState, books: Books): Difference[] {
  return [
    ...shared(broker),
    ...books.hosts.flatMap((host) => aboutHost(broker, host)),
    ...books.tokens.flatMap((token) => aboutToken(broker, token)),
    ...strays(broker, books),
  ];
}

function shared({ exchanges, queues, bindings, policies }: BrokerState): Difference[] {
  const missing = [
    ...EXCHANGES.filter((one) => !exchanges.has(one.name)).map((one) => `exchange ${one.name}`),
    ...QUEUES.filter((one) => !queues.has(one.name)).map((one) => `queue ${one.name}`),
    ...BINDINGS.filter((one) => !bindings.has(keyOf(one))).map((one) => `binding of ${one.queue}`),
    ...(policies.has(HOST_QUEUE_POLICY.name) ? [] : [`policy ${HOST_QUEUE_POLICY.name}`]),
  ];
  return missing.map((what) => {
    return { subject: what, problem: 'missing', remedy: FIX, mend: { do: 'declare' } };
  });
}

function aboutHost(broker: BrokerState, { id, passwordHash }: Registered): Difference[] {
  const subject = `host ${id}`;
  const user = broker.users.get(id);
  if (passwordHash === null && user) {
    const mend = { do: 'adopt_secret', host: id, passwordHash: user.passwordHash } as const;
    return [{ subject, problem: 'the database does not know its secret', remedy: FIX, mend }];
  }
  const queue = hostQueue(id);
  const problems = faultsOf(broker, id, { passwordHash, limits: HOST_LIMITS, ...hostPermissions(id) });
  if (!broker.queues.has(queue)) problems.push('no queue');
  else if (!broker.bindings.has(keyOf({ queue, exchange: EXCHANGE.task, key: id })))
    problems.push('its queue is not bound');
  if (problems.length === 0) return [];
  const problem = problems.join(', ');
  if (passwordHash === null)
    return [{ subject, problem, remedy: 'let it join again: nobody knows its secret' }];
  return [{ subject, problem, remedy: FIX, mend: { do: 'provision_host', host: id } }];
}

function aboutToken(broker: BrokerState, { id, passwordHash }: TokenUser): Difference[] {
  const wanted = { passwordHash, limits: JOINER_LIMITS, ...joinerPermissions() };
  const problem = faultsOf(broker, joinerUser(id), wanted).join(', ');
  const mend = { do: 'provision_joiner', token: id } as const;
  return problem ? [{ subject: `token ${id}`, problem, remedy: FIX, mend }] : [];
}

type Wanted = Permissions & { passwordHash: string | null; limits: Record<string, number> };

function faultsOf({ users, access, topic }: BrokerState, name: string, wanted: Wanted): string[] {
  const user = users.get(name);
  if (!user) return ['no user'];
  const checks: [isGood: boolean, fault: string][] = [
    [user.passwordHash === wanted.passwordHash, 'another secret than the one it gave'],
    [user.tags.length === 0, `more rights than its own: ${user.tags.join(', ')}`],
    [alike(topic.get(name), wanted.topic), 'wrong topic permissions'],
    [alike(access.get(name), wanted.access), 'wrong permissions'],
    [alike(user.limits, wanted.limits), 'wrong limits'],
  ];
  return checks.filter(([isGood]) => !isGood).map(([, fault]) => fault);
}

/** Flat objects, whatever the order of their fields. */
function alike(found: object | undefined, wanted: object): boolean {
  const text = (one: object) =>
    JSON.stringify(Object.entries(one).toSorted(([a], [b]) => a.localeCompare(b)));
  return found !== undefined && text(found) === text(wanted);
}
