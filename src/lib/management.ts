import { createHash, randomBytes } from 'node:crypto';
import { InputError, UnavailableError } from './errors.ts';
import type { Permissions } from './topology.ts';

const PAGE = 500;

/**
 * The management HTTP API of RabbitMQ: users, permissions, policies. This module alone holds the
 * administrator's login; it goes into a header, never into a message or an error.
 */
export class Management {
  #base: string;
  #authorization: string;
  readonly vhost: string;

  /** `url`: `http://admin:password@host:15672`. */
  constructor(url: string, vhost: string) {
    const target = new URL(url);
    const login = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
    this.#authorization = `Basic ${Buffer.from(login).toString('base64')}`;
    this.#base = `${target.protocol}//${target.host}/api`;
    this.vhost = vhost;
  }

  /** The AMQP port that the node listens on; undefined where `management.disable_stats` keeps it from telling. */
  async amqpPort(): Promise<number | undefined> {
    const { listeners } = (await this.#send('GET', '/overview')) as {
      listeners?: { protocol: string; port: number }[];
    };
    if (!listeners) return undefined;
    const found = listeners.find((one) => one.protocol === 'amqp');
    if (!found) throw new UnavailableError('no_listener', 'the broker has no AMQP listener');
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

  async hasUser(name: string): Promise<boolean> {
    const users = (await this.#send('GET', '/users')) as { name: string }[];
    return users.some((user) => user.name === name);
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
      'x-reason': reason,
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

  async #send(method: string, path: string, body?: object, headers = {}): Promise<unknown> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: { authorization: this.#authorization, 'content-type': 'application/json', ...headers },
      signal: AbortSignal.timeout(15_000),
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch((cause: unknown) => {
      throw new UnavailableError(
        'management_unavailable',
        `the RabbitMQ management API at ${this.#base} cannot be reached`,
        { cause },
      );
    });
    const text = await response.text();
    if (response.status === 401) {
      throw new InputError(
        'management_refused',
        `the RabbitMQ management API at ${this.#base} refuses the login`,
      );
    }
    if (!response.ok && !(method === 'DELETE' && response.status === 404)) {
      throw new UnavailableError(
        'management_error',
        `${method} ${path}: HTTP ${response.status} ${text.slice(0, 300)}`,
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
