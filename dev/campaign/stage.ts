import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Conn } from '../../src/lib/conn.ts';
import { type MariaDb, type RabbitMq, type Servers, startMariaDb, startRabbitMq } from '../servers.ts';
import type { AgentProcess } from '../world/agent.ts';
import { CRASHES, HANGS, SILENT } from '../world/packages.ts';
import { until } from '../world/until.ts';
import { World } from '../world/world.ts';
import { SupervisedDispatcher } from './dispatcher.ts';
import { Gate } from './gate.ts';
import { Link } from './link.ts';
import { Network, sweepNetworks, whyNoNetworks } from './net.ts';

export const GOOD = ['1.0.0', '1.0.1', '1.0.2', '1.0.3'] as const;
const FAULTS = { '2.0.0': CRASHES, '2.0.1': HANGS, '2.0.2': SILENT } as const;
export type Bad = keyof typeof FAULTS;
export const BAD = Object.keys(FAULTS) as Bad[];

const DISPATCHERS = 2;
const MOST_GROUPS = 2;
const HOSTS_A_GROUP = 2;

/** Deadlines short enough for orders and tasks to run out in the middle of a campaign. */
const HURRIED = { offlineAfterMs: 5_000, orderTtlMs: 20_000, taskDeadlineMs: 90_000, lostGraceMs: 15_000 };

/** One host of the campaign. */
export type Machine = { agent: AgentProcess; gate: Gate; link: Link };

export type StageOptions = {
  folder: string;
  hosts: number;
  bad: readonly Bad[];
  say: (line: string) => void;
  signal: AbortSignal;
};

/** All that a campaign plays on: servers, dispatchers and hosts, each host behind a link of its own. */
export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly rabbitmq: RabbitMq;
  readonly mariadb: MariaDb;
  readonly machines: Machine[] = [];
  readonly dispatchers: SupervisedDispatcher[] = [];
  readonly networks: Network[] = [];
  readonly bad: readonly Bad[];
  #opened: AsyncDisposableStack;
  #database: Conn | undefined;

  private constructor(world: World, servers: Servers, bad: readonly Bad[], opened: AsyncDisposableStack) {
    this.world = world;
    this.rabbitmq = servers.rabbitmq;
    this.mariadb = servers.mariadb;
    this.bad = bad;
    this.#opened = opened;
  }

  static async open(options: StageOptions): Promise<Stage> {
    const { folder, say, signal } = options;
    await using opened = new AsyncDisposableStack();
    // Never the user's own servers: these are killed.
    const [rabbitmq, mariadb] = await Promise.allSettled([
      startRabbitMq({ folder, log: say }),
      startMariaDb({ folder, log: say }),
    ]);
    if (mariadb.status === 'fulfilled') opened.use(mariadb.value);
    if (rabbitmq.status === 'fulfilled') opened.use(rabbitmq.value);
    if (rabbitmq.status === 'rejected') throw rabbitmq.reason;
    if (mariadb.status === 'rejected') throw mariadb.reason;
    signal.throwIfAborted();
    const none = async () => {};
    const servers = { rabbitmq: rabbitmq.value, mariadb: mariadb.value, external: false };
    const all: Servers = { ...servers, [Symbol.asyncDispose]: none };
    const world = opened.use(await World.open({ servers: all, folder, dispatcher: HURRIED, signal }));
    const stage = new Stage(world, all, options.bad, opened);
    await stage.#fill(options);
    stage.#opened = opened.move();
    return stage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  /** The dispatchers' own, asked behind their backs. */
  get database(): Conn {
    this.#database ??= this.world.database();
    return this.#database;
  }

  get ids(): string[] {
    return this.machines.map(({ agent }) => agent.id);
  }

  async #fill({ hosts, say, signal }: StageOptions): Promise<void> {
    // Packages are built in the folder for temporary files: let kill -9 leave none of them outside of ours.
    process.env.TMPDIR = join(this.world.folder, 'tmp');
    mkdirSync(process.env.TMPDIR);
    await this.#startDispatchers(signal);
    say(`${DISPATCHERS} dispatchers are ready`);
    for (const version of GOOD) await this.world.build(version);
    for (const version of this.bad) await this.world.build(version, FAULTS[version]);
    await Promise.all([...GOOD, ...this.bad].map((version) => this.world.publish(version)));
    say(`published: ${[...GOOD, ...this.bad].join(' ')}`);
    await this.#openNetworks(hosts, say);
    for (let number = 0; number < hosts; number++) {
      signal.throwIfAborted();
      await this.#addMachine(number);
    }
    await this.world.untilOnline(this.ids);
    say(`${hosts} hosts are online`);
  }

  async #startDispatchers(signal: AbortSignal): Promise<void> {
    for (let number = 1; number <= DISPATCHERS; number++) {
      const dispatcher = new SupervisedDispatcher(this.world, `dispatcher-${number}`);
      this.#opened.defer(() => dispatcher.retire());
      this.dispatchers.push(dispatcher);
      void dispatcher.supervise();
      await until(`${dispatcher.name} to be ready`, () => dispatcher.isReady(), { signal });
    }
  }

  async #openNetworks(hosts: number, say: (line: string) => void): Promise<void> {
    await sweepNetworks();
    const why = await whyNoNetworks();
    const count = Math.min(MOST_GROUPS, Math.floor(hosts / 2 / HOSTS_A_GROUP));
    if (why !== undefined) say(`left out: ${why}`);
    else for (let i = 0; i < count; i++) this.networks.push(this.#opened.use(await Network.open(i)));
    if (this.networks.length > 0)
      say(`${HOSTS_A_GROUP} hosts in each of ${this.networks.length} networks of their own`);
  }

  /** The first few live in networks of their own. */
  async #addMachine(number: number): Promise<void> {
    const network = this.networks[Math.floor(number / HOSTS_A_GROUP)];
    const link = this.#opened.use(await Link.open(this.rabbitmq.amqpPort, network?.address));
    const id = `${this.world.name}-${String(number + 1).padStart(2, '0')}`;
    const address = network?.address ?? '127.0.0.1';
    const settings = {
      broker: `amqp://${address}:${link.port}/${this.world.name}`,
      arbitrationMs: 3_000,
      allowPlain: true,
    };
    const shell = network ? { shell: [...network.enter, '/bin/sh'] } : {};
    const agent = await this.world.addHost(id, GOOD[0], undefined, { settings, ...shell });
    const gate = new Gate();
    this.machines.push({ agent, gate, link });
    void agent.supervise(() => gate.passed());
  }
}
