import { createHash, randomBytes } from 'node:crypto';
import { InputError, UnavailableError } from './errors.ts';
import { HttpClient } from './http.ts';
import { refusePlain, type Security } from './secure.ts';
import { tlsTrouble } from './tls-errors.ts';
import type { BindingSpec, Permissions } from './topology.ts';

const PAGE = 500;
const TIMEOUT_MS = 15_000;

export type BrokerUser = {
  name: string;
  passwordHash: string;
  tags: string[];
  limits: Record<string, number>;
};
type RawUser = {
  name: string;
  password_hash?: string;
  tags: string[];
  limits?: Record<string, number>;
};
type RawPermission = Permissions['access'] & { user: string };
type RawTopicPermission = Permissions['topic'] & { user: string };

type Sending = { mayMiss?: boolean; headers?: Record<string, string> };

/**
 * The management HTTP API of RabbitMQ: users, permissions, policies. This module alone holds the
 * administrator's login; it goes into a header, never into a message or an error.
 */
export class Management {
  #base: string;
  #authorization: string;
  #http: HttpClient;
  readonly vhost: string;

  /** `url`: `https://admin:password@host:15671`, or `http://` on loopback. */
  constructor(url: string, vhost: string, security: Security = {}) {
    refusePlain(url, security);
    this.#http = new HttpClient(security.ca);
    const target = new URL(url);
    const login = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
    this.#authorization = `Basic ${Buffer.from(login).toString('base64')}`;
    this.#base = `${target.protocol}//${target.host}/api`;
    this.vhost = vhost;
  }

  /** The port that the node listens on; undefined where `management.disable_stats` keeps it from telling. */
  async amqpPort(scheme: 'amqp' | 'amqps' = 'amqp'): Promise<number | undefined> {
    const { listeners } = (await this.#send('GET', '/overview')) as {
      listeners?: { protocol: string; port: number }[];
    };
    if (!listeners) return undefined;
    const found = listeners.find((one) => one.protocol === (scheme === 'amqp' ? 'amqp' : 'amqp/ssl'));
    if (!found) throw new UnavailableError('no_listener', `the broker has no listener for ${scheme}`);
    return found.port;
  }

  createVhost = () => this.#send('PUT', `/vhosts/${this.#v}`, {});
  deleteVhost = () => this.#send('DELETE', `/vhosts/${this.#v}`);

  /** `passwordHash` as {@link hashPassword} makes it; `tags` such as `monitoring`. */
  async putUser(name: string, passwordHash: string, permissions: Permissions, tags = ''): Promise<void> {
    const user = encodeURIComponent(name);
    const { topic, access } = permissions;
    await this.#send('PUT', `/users/${user}`, { password_hash: passwordHash, tags });
    await this.#send('PUT', `/topic-permissions/${this.#v}/${user}`, topic); // first: see hostPermissions
    await this.#send('PUT', `/permissions/${this.#v}/${user}`, access);
  }

  /** A new secret; what the user may do stays, and so do its connections. */
  putSecret = (name: string, passwordHash: string) =>
    this.#send('PUT', `/users/${encodeURIComponent(name)}`, { password_hash: passwordHash, tags: '' });

  async hasUser(name: string): Promise<boolean> {
    return (
      (await this.#send('GET', `/users/${encodeURIComponent(name)}`, undefined, { mayMiss: true })) !==
      undefined
    );
  }

  /** All users of the broker, those of other vhosts too: the API gives them in one answer. */
  async users(): Promise<BrokerUser[]> {
    const users = (await this.#send('GET', '/users')) as RawUser[];
    return users.map(({ name, password_hash, tags, limits }) => ({
      ...{ name, passwordHash: password_hash ?? '', tags, limits: limits ?? {} },
    }));
  }

  /** What users may do in this vhost, by user. */
  async permissions(): Promise<Map<string, Permissions['access']>> {
    const all = (await this.#send('GET', `/vhosts/${this.#v}/permissions`)) as RawPermission[];
    return new Map(all.map(({ user, configure, write, read }) => [user, { configure, write, read }]));
  }

  /** Of this vhost; a user may have one for each exchange. */
  async topicPermissions(): Promise<(Permissions['topic'] & { user: string })[]> {
    const all = (await this.#send('GET', `/vhosts/${this.#v}/topic-permissions`)) as RawTopicPermission[];
    return all.map(({ user, exchange, write, read }) => ({ user, exchange, write, read }));
  }

  async exchangeNames(): Promise<string[]> {
    const all = (await this.#send('GET', `/exchanges/${this.#v}?columns=name`)) as { name: string }[];
    return all.map((one) => one.name);
  }

  async bindingsFrom(exchange: string): Promise<BindingSpec[]> {
    const path = `/exchanges/${this.#v}/${encodeURIComponent(exchange)}/bindings/source`;
    const all = ((await this.#send('GET', path, undefined, { mayMiss: true })) ?? []) as {
      destination: string;
      routing_key: string;
    }[];
    return all.map(({ destination, routing_key: key }) => ({ queue: destination, exchange, key }));
  }

  async policyNames(): Promise<string[]> {
    return ((await this.#send('GET', `/policies/${this.#v}`)) as { name: string }[]).map((one) => one.name);
  }

  /** The vhosts in which a user may do anything; none for a user that is not there. */
  async vhostsOf(name: string): Promise<string[]> {
    if (!(await this.hasUser(name))) return [];
    const path = `/users/${encodeURIComponent(name)}/permissions`;
    return ((await this.#send('GET', path)) as { vhost: string }[]).map((one) => one.vhost);
  }

  /** Closes a user's connections; `reason` is told to whoever holds them. */
  closeConnections = (user: string, reason: string) =>
    this.#send('DELETE', `/connections/username/${encodeURIComponent(user)}`, undefined, {
      headers: { 'x-reason': reason },
    });

  async limitUser(name: string, limits: Record<string, number>): Promise<void> {
    for (const [limit, value] of Object.entries(limits)) {
      await this.#send('PUT', `/user-limits/${encodeURIComponent(name)}/${limit}`, { value });
    }
  }

  deleteUser = (name: string) => this.#send('DELETE', `/users/${encodeURIComponent(name)}`);

  putPolicy = (name: string, pattern: string, definition: object) =>
    this.#send('PUT', `/policies/${this.#v}/${name}`, { pattern, definition, 'apply-to': 'queues' });

  /** The names of the queues that match a regular expression, page by page: there is one for each host, too. */
  async queueNames(pattern: string): Promise<string[]> {
    const names: string[] = [];
    const about = `columns=name&page_size=${PAGE}&use_regex=true&name=${encodeURIComponent(pattern)}`;
    for (let page = 1; ; page++) {
      const path = `/queues/${this.#v}?${about}&page=${page}`;
      const found = (await this.#send('GET', path)) as { items: { name: string }[]; page_count: number };
      names.push(...found.items.map((one) => one.name));
      if (page >= found.page_count) return names;
    }
  }

  get #v(): string {
    return encodeURIComponent(this.vhost);
  }

  /** Undefined for what is missing where it `mayMiss`. */
  async #send(method: string, path: string, body?: object, how: Sending = {}): Promise<unknown> {
    const { mayMiss = method === 'DELETE', headers: more } = how;
    const headers = { authorization: this.#authorization, 'content-type': 'application/json', ...more };
    const request = { method, headers, body: body && JSON.stringify(body), timeoutMs: TIMEOUT_MS };
    const sent = this.#http.send(`${this.#base}${path}`, request);
    const { status, text } = await sent.catch((cause: unknown) => {
      const what = `the RabbitMQ management API at ${this.#base}`;
      const words = tlsTrouble(cause, what) ?? `${what} cannot be reached`;
      throw new UnavailableError('management_unavailable', words, { cause });
    });
    if (status === 401) {
      throw new InputError(
        'management_refused',
        `the RabbitMQ management API at ${this.#base} refuses the login`,
      );
    }
    if (status === 404 && mayMiss) return undefined;
    if (status < 200 || status >= 300) {
      throw new UnavailableError(
        'management_error',
        `${method} ${path}: HTTP ${status} ${text.slice(0, 300)}`,
      );
    }
    return text ? JSON.parse(text) : undefined;
  }
}

/** RabbitMQ's salted SHA-256, so that a password need not travel: base64(salt + sha256(salt + password)). */
export function hashPassword(password: string, salt = randomBytes(4)): string {
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, digest]).toString('base64');
}

export const newSecret = () => randomBytes(24).toString('base64url');
