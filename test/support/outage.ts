import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Servers, startMariaDb, startRabbitMq } from '../../dev/servers.ts';
import type { AgentProcess } from '../../dev/world/agent.ts';
import { until } from '../../dev/world/until.ts';
import { World } from '../../dev/world/world.ts';
import { Broker } from '../../src/lib/broker.ts';
import type { Conn } from '../../src/lib/conn.ts';
import { describe } from '../../src/lib/errors.ts';
import { readIfThere } from '../../src/lib/files.ts';
import type { Home } from '../../src/lib/home.ts';
import { encode, type Trial } from '../../src/lib/messages.ts';
import { EXCHANGE, upKey } from '../../src/lib/topology.ts';
import { uuidv7 } from '../../src/lib/utils.ts';
import { untilQueuesAreEmpty } from './outage-broker.ts';
import { ended, type TaskView, tasksOf, told, upgrade } from './world.ts';

/** Long enough for a restart of a server on a busy machine; what a hang is, no outage decides. */
const TRIAL: Trial = { starts: 3, seconds: 25, hangSeconds: 15 };

/** Makes a download take a while: 2 MB that no compression makes smaller. */
const bulk = () => `// ${randomBytes(2 << 20).toString('base64')}\n`;

/** A release that beats and does nothing else as long as there is a file `hold` in its home. */
const HELD = `if (process.argv[2] === 'run') {
  const fs = await import('node:fs');
  const home = process.argv[4];
  for (let n = 0; fs.existsSync(home + '/hold'); n++) {
    fs.writeFileSync(home + '/state/alive', String(n).padStart(10, '0') + '\\n', { flag: 'r+' });
    await new Promise((done) => setTimeout(done, 100));
  }
}
`;

/** What one run of an upgrade says, with as many trials held again as an outage made necessary. */
const ONE_RUN = new RegExp(
  [
    '^accepted running preflight downloading verifying staging ',
    '(switching restarting (watching )?rolling_back (waiting_for_broker )?)*',
    'switching restarting watching completed$',
  ].join(''),
);
const saidBy = (task: TaskView) => task.events.map((one) => one.phase ?? one.state);

/** From now on the host's upgrades stand in preflight, until it is let go. */
export function holdInPreflight(home: Home): void {
  rmSync(join(home.root, 'go'), { force: true });
  mkdirSync(home.preflight, { recursive: true });
  const hook = join(home.preflight, 'wait-for-go');
  writeFileSync(hook, '#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.1; done\n');
  chmodSync(hook, 0o755);
}

export const letGo = (home: Home) => writeFileSync(join(home.root, 'go'), '');

/** A fleet of five and two dispatchers on servers of their own, which may be stopped and killed. */
export class Fleet implements AsyncDisposable {
  readonly world: World;
  readonly servers: Servers;
  /** The hosts, by the last letter of their names. */
  readonly hosts = new Map<string, AgentProcess>();
  readonly dispatchers: Awaited<ReturnType<World['startDispatcher']>>[] = [];
  #database: Conn | undefined;
  #opened: AsyncDisposableStack;
  /** What each host ran when the upgrade was ordered, and how much of its loader's log was there by then. */
  #before = new Map<string, { version: string; logged: number }>();

  private constructor(world: World, servers: Servers, opened: AsyncDisposableStack) {
    this.world = world;
    this.servers = servers;
    this.#opened = opened;
  }

  static async open(versions: string[], held: string): Promise<Fleet> {
    await using opened = new AsyncDisposableStack();
    const options = { folder: '.mega/test' };
    const [rabbitmq, mariadb] = await Promise.all([startRabbitMq(options), startMariaDb(options)]);
    opened.use(mariadb);
    opened.use(rabbitmq);
    const servers: Servers = { rabbitmq, mariadb, external: false, [Symbol.asyncDispose]: async () => {} };
    const world = opened.use(await World.open({ servers, ...options }));
    const fleet = new Fleet(world, servers, opened.move());
    await fleet.twoDispatchers();
    for (const version of versions) await world.build(version, version === held ? HELD : bulk());
    for (const version of versions) await world.publish(version);
    const names = ['a', 'b', 'c', 'd', 'e'].map((one) => `${world.name}-${one}`);
    for (const agent of await world.addFleet(names, '1.0.0')) fleet.hosts.set(agent.id.at(-1)!, agent);
    return fleet;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  host(letter: string): AgentProcess {
    return this.hosts.get(letter)!;
  }

  get database(): Conn {
    this.#database ??= this.world.database();
    return this.#database;
  }

  async twoDispatchers(): Promise<void> {
    const alive = this.dispatchers.filter((one) => !one.hasEnded());
    while (alive.length < 2) alive.push(await this.world.startDispatcher());
    this.dispatchers.splice(0, this.dispatchers.length, ...alive);
  }

  letGo(letter: string): void {
    letGo(this.host(letter).home);
  }

  /** A release made with HELD does nothing on this host until this is called again with `false`. */
  holdOnTrial(letter: string, held: boolean): void {
    const file = join(this.host(letter).home.root, 'hold');
    if (held) writeFileSync(file, '');
    else rmSync(file, { force: true });
  }

  onTrial(letter: string): boolean {
    return readIfThere(this.host(letter).home.trial) !== undefined && this.startsSince(letter).length > 0;
  }

  async order(to: string, letters: string[], trial: Trial = TRIAL): Promise<string> {
    for (const [letter, agent] of this.hosts) {
      const logged = (readIfThere(agent.loaderLog) ?? '').length;
      this.#before.set(letter, { version: agent.current ?? '', logged });
    }
    return upgrade(
      this.world,
      to,
      letters.map((one) => this.host(one).id),
      trial,
    );
  }

  /**
   * Orders an upgrade and returns in its middle: `a` or `b` has the package and is anywhere on its way, `c` and `d`
   * stand in preflight, and `e` has not begun, since it is away.
   */
  async untilInTheMiddle(to: string): Promise<string> {
    await this.twoDispatchers();
    for (const letter of ['c', 'd']) holdInPreflight(this.host(letter).home);
    await this.host('e').stop();
    const job = await this.order(to, [...this.hosts.keys()]);
    await until('c and d to stand in preflight, and a or b to be far past it', async () => {
      const tasks = await tasksOf(this.world, job);
      const seen = ['a', 'b', 'c', 'd'].map((one) => tasks.get(this.host(one).id)!);
      const [a, b, ...held] = seen.map((task) => task.phase);
      const begun = [a, b].some((one) => one && one !== 'preflight' && one !== 'downloading');
      if (begun && held.every((one) => one === 'preflight')) return true;
      throw new Error(seen.map((task) => `${told(task)} ${task.reason}`).join(', '));
    });
    return job;
  }

  /** Lets all go on, waits for the end, and then asks everybody but the product's own word how it went. */
  async heals(job: string, to: string, letters = [...this.hosts.keys()]): Promise<Map<string, TaskView>> {
    for (const letter of letters) this.letGo(letter);
    const away = letters.filter((one) => !this.host(one).running);
    for (const letter of away) await this.host(letter).start();
    const tasks = await ended(this.world, job);
    assert.equal(tasks.size, letters.length);
    for (const letter of letters) this.#checkHost(letter, tasks, to, away.includes(letter));
    await this.#checkDatabase(job, to, letters);
    await untilQueuesAreEmpty(this.world);
    return tasks;
  }

  #checkHost(letter: string, tasks: Map<string, TaskView>, to: string, wasAway: boolean): void {
    const agent = this.host(letter);
    const task = tasks.get(agent.id)!;
    const why = `${agent.id}: ${task.reason}\n${saidBy(task).join(' ')}\n${agent.log().slice(-4000)}`;
    assert.equal(told(task), `succeeded completed ${to}`, why);
    assert.equal(task.late, false, why);
    assert.deepEqual(
      task.events.map((one) => one.seq),
      task.events.map((_, i) => i + 1),
      why,
    );
    assert.match(saidBy(task).join(' '), ONE_RUN, why);
    assert.equal(agent.current, to, why);
    const from = this.#before.get(letter)!.version;
    const explained = saidBy(task).flatMap((phase) => {
      if (phase === 'restarting') return [to];
      return phase === 'rolling_back' ? [from] : [];
    });
    if (wasAway) explained.unshift(from);
    assert.deepEqual(this.startsSince(letter), explained, why);
  }

  /** Waits until one of the dispatchers logs this. */
  async untilDispatcherLogs(text: RegExp): Promise<void> {
    const { folder } = this.world;
    const look = () =>
      readdirSync(folder)
        .filter((name) => name.startsWith('dispatcher-'))
        .some((name) => text.test(readIfThere(join(folder, name)) ?? ''));
    await until(`a dispatcher to log ${text}`, look);
  }

  /** Freezes the broker until a publisher like everybody's has given a message up; in which words it did. */
  async freezeUntilPublishIsGivenUp(): Promise<string> {
    const { broker: url } = JSON.parse(readIfThere(this.world.operatorConfig) ?? '') as { broker: string };
    await using broker = await Broker.start({ url, name: 'outage test' });
    await broker.ready(10_000);
    const { rabbitmq } = this.servers;
    rabbitmq.pause();
    try {
      const key = upKey('call', broker.user);
      const about = { exchange: EXCHANGE.up, key, type: 'call', messageId: uuidv7() };
      const asked = broker.ask({ ...about, body: encode({ fn: 'get_all_funcs', args: {} }) }, 60_000);
      return await asked.then(() => 'answered', describe);
    } finally {
      rabbitmq.resume();
    }
  }

  /** The releases that the loader has started since the upgrade was ordered. */
  startsSince(letter: string): string[] {
    const log = (readIfThere(this.host(letter).loaderLog) ?? '').slice(this.#before.get(letter)?.logged);
    return [...log.matchAll(/started (\S+), pid/g)].map(([, version]) => version!);
  }

  async #checkDatabase(job: string, to: string, letters: string[]): Promise<void> {
    const ids = letters.map((one) => this.host(one).id);
    const tasks = await this.database.query(
      'SELECT state, finished_at IS NOT NULL AS ended, COUNT(*) AS n FROM tasks WHERE job_id = ? GROUP BY state, ended',
      [job],
    );
    assert.deepEqual(
      tasks.map((one) => ({ ...one })),
      [{ state: 'succeeded', ended: 1, n: ids.length }],
    );
    const jobRow = await this.database.one<{ state: string }>('SELECT state FROM jobs WHERE id = ?', [job]);
    assert.equal(jobRow?.state, 'succeeded');
    await until('each host to be online with its version', async () => {
      const rows = await this.database.query<{ version: string; online: number }>(
        'SELECT version, online FROM hosts WHERE id IN (?)',
        [ids],
      );
      return rows.length === ids.length && rows.every((one) => one.version === to && one.online === 1);
    });
  }
}
