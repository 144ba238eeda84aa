import { randomUUID } from 'node:crypto';
import type { Channel, ConsumeMessage } from 'amqplib';
import { askBroker } from '../../dev/world/broker.ts';
import { until } from '../../dev/world/until.ts';
import type { World } from '../../dev/world/world.ts';
import { Broker } from '../../src/lib/broker.ts';
import type { Conn } from '../../src/lib/conn.ts';
import { decode, encode, type Order, order, type Phase } from '../../src/lib/messages.ts';
import { EXCHANGE, hostQueue, REPLY_QUEUE, upKey } from '../../src/lib/topology.ts';
import { uuidv7 } from '../../src/lib/utils.ts';

export type End = {
  state: 'succeeded' | 'failed' | 'rejected' | 'cancelled';
  phase?: Phase;
  reason?: string;
};
/** What a host does with an order that it sees for the first time; undefined: it falls silent. */
export type Manner = (host: string, order: Order) => Promise<End | undefined> | End | undefined;

const BEAT_MS = 2_000;
const USER = 'crowd';

/**
 * Many hosts on one connection, which the broker lets speak in the names of all: each reads its own queue, writes down
 * what it has seen, says `running` before it begins and an end after it, and answers the probe of an upgrade. They are
 * as honest as agents, and cost next to nothing.
 */
export class Crowd implements AsyncDisposable {
  manner: Manner = () => ({ state: 'succeeded' });
  /** How often each task has begun. */
  readonly begun = new Map<string, number>();
  /** What was begun, in order. */
  readonly orders: { host: string; order: Order }[] = [];
  /** Most tasks that were under way at the same time since it was set to 0. */
  mostAtOnce = 0;
  #atOnce = 0;
  #hosts: Map<string, { boot: string; version: string; tag?: string }>;
  #cancelled = new Map<string, () => void>();
  #probes = new Map<string, (nonce: string) => void>();
  #channel: Channel;
  #db: Conn;
  #opened: AsyncDisposableStack;

  private constructor(ids: string[], channel: Channel, db: Conn, opened: AsyncDisposableStack) {
    this.#hosts = new Map(ids.map((id) => [id, { boot: randomUUID(), version: '1.0.0' }]));
    this.#channel = channel;
    this.#db = db;
    this.#opened = opened;
  }

  /** Resolves when all of them count as online. */
  static async open(world: World, ids: string[]): Promise<Crowd> {
    await using opened = new AsyncDisposableStack();
    const user = `${USER}_${world.name}`;
    opened.defer(() => askBroker(world, 'DELETE', `users/${user}`));
    const broker = opened.use(await connect(world, user));
    const db = world.database();
    const channel = await broker.openChannel();
    const crowd = new Crowd(ids, channel, db, opened);
    await crowd.#register();
    await channel.consume(REPLY_QUEUE, () => undefined, { noAck: true });
    const beat = setInterval(() => crowd.#beat(), BEAT_MS);
    opened.defer(() => clearInterval(beat));
    await crowd.back(...ids);
    crowd.#opened = opened.move();
    return crowd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  get hosts(): string[] {
    return [...this.#hosts.keys()];
  }

  /** They say goodbye and read no more; what is sent to them meanwhile waits in their queues. */
  async away(...ids: string[]): Promise<void> {
    for (const id of ids) {
      const host = this.#hosts.get(id)!;
      if (host.tag) await this.#channel.cancel(host.tag);
      delete host.tag;
      this.#say(id, 'event', { kind: 'goodbye', host: id, boot: host.boot });
    }
    await this.#untilOnline(ids, 0);
  }

  async back(...ids: string[]): Promise<void> {
    for (const id of ids) {
      const take = (message: ConsumeMessage | null) => void this.#take(id, message);
      const { consumerTag } = await this.#channel.consume(hostQueue(id), take);
      this.#hosts.get(id)!.tag = consumerTag;
    }
    this.#beat();
    await this.#untilOnline(ids, 1);
  }

  async #register(): Promise<void> {
    const now = new Date();
    const rows = [...this.#hosts].map(([id, { boot, version }]) => [id, now, boot, version, 'linux-x64']);
    await this.#db.run('INSERT INTO hosts (id, registered_at, boot, version, platform) VALUES ?', [rows]);
    for (const id of this.#hosts.keys()) {
      await this.#channel.assertQueue(hostQueue(id));
      await this.#channel.bindQueue(hostQueue(id), EXCHANGE.task, id);
    }
  }

  async #untilOnline(ids: string[], online: number): Promise<void> {
    const are = async () => {
      const statement = 'SELECT COUNT(*) AS n FROM hosts WHERE id IN (?) AND online = ?';
      return Number((await this.#db.one<{ n: number }>(statement, [ids, online]))?.n) === ids.length;
    };
    await until(`${ids.length} hosts to be ${online ? 'online' : 'away'}`, are);
  }

  #beat(): void {
    for (const [host, { boot, version, tag }] of this.#hosts)
      if (tag) this.#say(host, 'event', { kind: 'heartbeat', host, boot, version, at: Date.now() });
  }

  #say(host: string, kind: 'event' | 'result' | 'call', body: object): void {
    const about = { userId: host, type: kind, messageId: uuidv7(), contentType: 'application/json' };
    const reply = kind === 'call' ? { replyTo: REPLY_QUEUE } : {};
    this.#channel.publish(EXCHANGE.up, upKey(kind, host), encode(body), { ...about, ...reply });
  }

  async #take(host: string, message: ConsumeMessage | null): Promise<void> {
    if (!message) return; // the queue is gone: the host was removed
    this.#channel.ack(message);
    const asked = decode(order, message.content);
    const { task, type, args } = asked;
    if (type === 'probe') return this.#probes.get(task)?.(String(args.nonce));
    if (type === 'cancel') return this.#cancelled.get(task)?.();
    if (this.begun.has(task)) return; // as the journal knows it
    this.begun.set(task, 1);
    this.orders.push({ host, order: asked });
    await this.#run(host, asked);
  }

  async #run(host: string, asked: Order): Promise<void> {
    const { task, type } = asked;
    const about = { task, host, at: Date.now() };
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    this.#say(host, 'event', { kind: 'progress', ...about, seq: 1, state: 'running' });
    const cancelled = new Promise<End>((resolve) => {
      this.#cancelled.set(task, () => resolve({ state: 'cancelled', reason: 'cancelled by an operator' }));
    });
    const end = await Promise.race([this.manner(host, asked), cancelled]);
    this.#atOnce--;
    if (!end) return;
    const proof =
      type === 'client_upgrade' && end.state === 'succeeded' ? await this.#proveOf(host, asked) : {};
    const running = this.#hosts.get(host)!.version;
    this.#say(host, 'result', { kind: 'result', ...about, seq: 2, ...end, ...proof, running });
  }

  /** The new process says hello, and answers the probe that then comes through its own queue. */
  async #proveOf(host: string, { task, args }: Order): Promise<object> {
    const now = { ...this.#hosts.get(host)!, boot: randomUUID(), version: String(args.to) };
    this.#hosts.set(host, now);
    const probed = new Promise<string>((resolve) => this.#probes.set(task, resolve));
    const { boot, version } = now;
    const hello = { boot, version, platform: 'linux-x64', trial: task };
    this.#say(host, 'call', { fn: 'client_ping', args: hello });
    return { proof: { nonce: await probed, boot, version }, phase: 'completed' };
  }
}

/** With a user that may speak for others. */
async function connect(world: World, user: string): Promise<Broker> {
  await askBroker(world, 'PUT', `users/${user}`, { password: world.name, tags: 'impersonator' });
  await askBroker(world, 'PUT', `permissions/${world.name}/${user}`, {
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  const url = `amqp://${user}:${world.name}@127.0.0.1:${world.servers.rabbitmq.amqpPort}/${world.name}`;
  const broker = await Broker.start({ url, name: 'a crowd of hosts', reconnectMs: 200 });
  await broker.ready(10_000);
  return broker;
}
