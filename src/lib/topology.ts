/**
 * Every exchange, queue, key and permission of the broker, once.
 *
 * The dispatcher declares all of it; agents declare nothing. `mega.task` has no alternate exchange: with one,
 * `mandatory` never returns, and an order for a host without a queue would vanish unseen.
 */
export const EXCHANGE = { task: 'mega.task', up: 'mega.up', package: 'mega.package' } as const;
export const QUEUE = {
  results: 'mega.results',
  events: 'mega.events',
  logs: 'mega.logs',
  api: 'mega.api',
  dead: 'mega.dead',
} as const;

/** Direct reply-to: the broker makes of it an address that only the one who asked can read. */
export const REPLY_QUEUE = 'amq.rabbitmq.reply-to';

export type QueueSpec = { name: string; arguments: Record<string, unknown> };
export type BindingSpec = { queue: string; exchange: string; key: string };

export const EXCHANGES: { name: string; type: 'direct' | 'topic' }[] = [
  { name: EXCHANGE.task, type: 'direct' },
  { name: EXCHANGE.up, type: 'topic' },
  { name: EXCHANGE.package, type: 'direct' },
];

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Durable classic queues: on one node they lost nothing at kill -9, where quorum queues lost their leader. */
export const QUEUES: QueueSpec[] = [
  { name: QUEUE.results, arguments: {} },
  { name: QUEUE.events, arguments: { 'x-max-length': 1_000_000, 'x-overflow': 'drop-head' } },
  { name: QUEUE.logs, arguments: { 'x-max-length-bytes': 256 << 20, 'x-overflow': 'drop-head' } },
  { name: QUEUE.api, arguments: { 'x-message-ttl': MINUTE_MS, 'x-max-length': 100_000 } },
  { name: QUEUE.dead, arguments: { 'x-max-length': 10_000, 'x-message-ttl': 14 * DAY_MS } },
];

/** `call.#`, since an operator's user name may hold dots one day; agents' never do. */
export const BINDINGS: BindingSpec[] = [
  { queue: QUEUE.results, exchange: EXCHANGE.up, key: 'result.*' },
  { queue: QUEUE.events, exchange: EXCHANGE.up, key: 'event.*' },
  { queue: QUEUE.logs, exchange: EXCHANGE.up, key: 'log.*' },
  { queue: QUEUE.api, exchange: EXCHANGE.up, key: 'call.#' },
];

export type UpKind = 'result' | 'event' | 'log' | 'call';

/** No other queue's name begins so. */
export const HOST_QUEUE_PREFIX = 'mega.host.';
export const hostQueue = (host: string) => `${HOST_QUEUE_PREFIX}${host}`;
export const streamQueue = (sha256: string) => `mega.package.${sha256}`;
/** Of a stream's name; undefined for any other queue's. */
export const sha256OfStream = (queue: string) => /^mega\.package\.([0-9a-f]{64})$/.exec(queue)?.[1];
/** All streams, for the broker's administration. */
export const STREAM_PATTERN = '^mega[.]package[.]';
export const upKey = (kind: UpKind, user: string) => `${kind}.${user}`;

/** The stream that carries one artifact; it ages out, and is made again when somebody asks. */
export function streamSpec(sha256: string, sizeBytes: number): QueueSpec {
  return {
    name: streamQueue(sha256),
    arguments: {
      'x-queue-type': 'stream',
      'x-max-length-bytes': 4 * sizeBytes + (64 << 20),
      'x-max-age': '7D',
    },
  };
}

/** Limits of a host's queue; a policy, so that they can be changed without declaring the queue anew. */
export const HOST_QUEUE_POLICY = {
  name: 'mega-host',
  pattern: '^mega\\.host\\.',
  definition: { 'max-length': 10_000, 'max-length-bytes': 16 << 20, overflow: 'reject-publish' },
} as const;

/** Operators' users bear a mark that no host id can hold, so the name alone tells who calls. */
export const OPERATOR_PREFIX = 'op_';
/** A machine that joins speaks under its token's name until it has one of its own. */
export const JOINER_PREFIX = 'join_';
export const joinerUser = (token: string) => `${JOINER_PREFIX}${token}`;
/** No host id holds an underscore, so a dispatcher's user is never a host's. */
export const DISPATCHER_PREFIX = 'mega_';
export const DISPATCHER_USER = 'mega_dispatcher';

export type Permissions = {
  topic: { exchange: string; write: string; read: string };
  access: { configure: string; write: string; read: string };
};

/**
 * What a host's user may do: read its own queue and the packages, speak on `mega.up` under its own name.
 * The topic permission must be given first: a user without topic permissions may publish any key.
 */
export function hostPermissions(host: string): Permissions {
  return {
    topic: { exchange: EXCHANGE.up, write: '^(result|event|log|call)\\.{username}$', read: '^$' },
    access: {
      configure: '^$',
      write: '^mega\\.up$',
      read: `^(mega\\.host\\.${host}|mega\\.package\\..+)$`,
    },
  };
}

/** An operator may do nothing but call functions. */
export function operatorPermissions(): Permissions {
  return {
    topic: { exchange: EXCHANGE.up, write: '^call\\.{username}$', read: '^$' },
    access: { configure: '^$', write: '^mega\\.up$', read: '^$' },
  };
}

/** A machine that joins may call as an operator may; the dispatcher answers it no function but `enrol`. */
export const joinerPermissions = operatorPermissions;

/** The dispatcher declares and reads all that is `mega.*`, and answers calls on the default exchange. */
export function dispatcherPermissions(): Permissions {
  return {
    topic: { exchange: EXCHANGE.up, write: '.*', read: '.*' },
    access: { configure: '^mega\\.', write: '^(mega\\..*|amq\\.default)$', read: '^mega\\.' },
  };
}

export const HOST_LIMITS = { 'max-connections': 3, 'max-channels': 10 } as const;
/** How many machines may join with one token at the same time; the others wait and try again. */
export const JOINER_LIMITS = { 'max-connections': 50, 'max-channels': 100 } as const;
