import type { BrokerUser } from '../../lib/management.ts';
import { type BindingSpec, EXCHANGE, EXCHANGES, type Permissions, QUEUES } from '../../lib/topology.ts';
import type { Context } from '../context.ts';
import { allRegistered, type Registered } from '../store/registered.ts';
import { type TokenUser, tokensWithUser } from '../store/tokens.ts';

/** What the broker has, as far as it is ours to keep. */
export type BrokerState = {
  users: Map<string, BrokerUser>;
  access: Map<string, Permissions['access']>;
  /** On `mega.up`. */
  topic: Map<string, Permissions['topic']>;
  queues: Set<string>;
  exchanges: Set<string>;
  /** Of `mega.task` and `mega.up`, by {@link keyOf}. */
  bindings: Map<string, BindingSpec>;
  policies: Set<string>;
};
export const keyOf = ({ queue, exchange, key }: BindingSpec) => `${exchange} ${key} ${queue}`;
export type Books = { hosts: Registered[]; tokens: TokenUser[] };

export type Looked = { broker: BrokerState; books: Books };

/** Of ours, but for the packages' streams: those come and go. */
const QUEUES_OF_OURS = `^(mega[.]host[.].*|${QUEUES.map(({ name }) => name.replaceAll('.', '[.]')).join('|')})$`;

/**
 * Reads broker and database: a dozen questions, and one more for every few hundred queues. The broker first, so that
 * what is registered meanwhile is not taken for a stray.
 */
export async function look({ management, db }: Pick<Context, 'management' | 'db'>): Promise<Looked> {
  const users = await management.users();
  const topic = (await management.topicPermissions()).filter((one) => one.exchange === EXCHANGE.up);
  const bindings: BindingSpec[] = [];
  for (const { name } of EXCHANGES.filter((one) => one.name !== EXCHANGE.package)) {
    bindings.push(...(await management.bindingsFrom(name)));
  }
  const broker = {
    users: new Map(users.map((user) => [user.name, user])),
    access: await management.permissions(),
    topic: new Map(topic.map(({ user, ...permission }) => [user, permission])),
    queues: new Set(await management.queueNames(QUEUES_OF_OURS)),
    exchanges: new Set(await management.exchangeNames()),
    bindings: new Map(bindings.map((one) => [keyOf(one), one])),
    policies: new Set(await management.policyNames()),
  };
  return { broker, books: { hosts: await allRegistered(db), tokens: await tokensWithUser(db) } };
}
