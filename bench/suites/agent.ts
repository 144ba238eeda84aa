import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { build } from 'esbuild';
import { type ServerProcess, startProcess } from '../../dev/servers/process.ts';
import type { AgentProcess } from '../../dev/world/agent.ts';
import { until } from '../../dev/world/until.ts';
import type { World } from '../../dev/world/world.ts';
import { cpuMs, median, ownCpuMs, privateMb, residentMb, writtenBytes } from '../measure.ts';
import { addAgents, openWorld } from '../real.ts';
import type { Figure, Servers, Stage, Suite } from '../suite.ts';

const VERSION = '1.0.0';
const HOST = 'bench-agent';
const RUNS = 5;
const SETTLE_MS = 30_000;
const QUICK_SETTLE_MS = 2_000;
const IDLE_MS = 60_000;
const QUICK_IDLE_MS = 10_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const KNOWN =
  'known of others: MCollective daemon 29 MB, Celery worker 60 MB; bare Node.js 24 before: empty 44 MB, consumer 53 MB';

/** What a host pays for having an agent. */
export const suite: Suite = {
  name: 'agent',
  help: 'memory, start, idle CPU and disk writes of one real agent beside bare programs',
  run,
};

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true });
  await using world = await openWorld(stage, { servers });
  await world.startDispatcher();
  const [agent] = await addAgents(stage, world, [HOST], VERSION);
  await using bare = await openBare(stage, servers);
  const starts = await startTimes(stage, world, agent!, bare);
  const idle = await idleCosts(stage, agent!, bare);
  return [...starts, ...idle];
}

type Bare = AsyncDisposable & {
  /** Starts it and resolves to the ms until its first answer. */
  consumer(): Promise<{ process: ServerProcess; firstAnswerMs: number }>;
  empty(): Promise<ServerProcess>;
};

async function startTimes(stage: Stage, world: World, agent: AgentProcess, bare: Bare): Promise<Figure[]> {
  const [own, peer]: [number[], number[]] = [[], []];
  for (let i = 0; i < (stage.quick ? 2 : RUNS); i++) {
    own.push(await restart(world, agent));
    const { process, firstAnswerMs } = await bare.consumer();
    peer.push(firstAnswerMs);
    await process.killAll();
  }
  stage.log(`starts: ${own.map(Math.round).join(', ')} ms; bare: ${peer.map(Math.round).join(', ')} ms`);
  const ceiling = { name: 'bare amqplib consumer, bundled', value: median(peer) };
  const name = 'start of the loader to the first ping recorded';
  return [{ name, value: median(own), unit: 'ms', ceiling }];
}

/** The order is there before the host is: it is sent as soon as the agent has been heard. */
async function restart(world: World, agent: AgentProcess): Promise<number> {
  await agent.stop();
  const db = world.database();
  await db.run('UPDATE hosts SET online = 0 WHERE id = ?', [agent.id]);
  const { job } = await world.call<{ job: string }>('ping', { on: [agent.id] });
  const began = Date.now(); // the database's clock is this machine's
  await agent.start();
  const read = () =>
    db.one<{ at: Date }>("SELECT finished_at AS at FROM tasks WHERE job_id = ? AND state = 'succeeded'", [
      job,
    ]);
  const { at } = await until(`the ping of ${agent.id}`, read, { pollMs: 20 });
  return at.getTime() - began;
}

async function idleCosts(stage: Stage, agent: AgentProcess, bare: Bare): Promise<Figure[]> {
  const { process: consumer } = await bare.consumer();
  const empty = await bare.empty();
  stage.log('idle ...');
  await sleep(stage.quick ? QUICK_SETTLE_MS : SETTLE_MS, undefined, { signal: stage.signal });
  const [own, loader] = [agent.agentPid, agent.loaderPid];
  const memory = memoryFigures(own, loader, consumer.pid, empty.pid);
  const idleMs = stage.quick ? QUICK_IDLE_MS : IDLE_MS;
  const before = [ownCpuMs(own), ownCpuMs(consumer.pid), cpuMs(loader)] as const;
  const written = [writtenBytes(own), writtenBytes(loader)] as const;
  await sleep(idleMs, undefined, { signal: stage.signal });
  const cpu = (pid: number, from: number) => ((ownCpuMs(pid) - from) * MINUTE_MS) / idleMs;
  const hourly = (pid: number, from: number) => ((writtenBytes(pid) - from) * HOUR_MS) / idleMs / 2 ** 20;
  const perMinute = 'ms of CPU a minute';
  return [
    ...memory,
    {
      name: 'agent, idle',
      value: cpu(own, before[0]),
      unit: perMinute,
      ceiling: { name: 'bare amqplib consumer', value: cpu(consumer.pid, before[1]) },
      note: '600 ms a minute are 1 % of a core; known of others: MCollective 30, Celery 540',
    },
    {
      name: 'loader with its ticks, idle',
      value: ((cpuMs(loader) - before[2]) * MINUTE_MS) / idleMs,
      unit: perMinute,
      note: 'a shell that starts `sleep 1` each second; counted in steps of 10 ms',
    },
    { name: 'agent, disk writes while idle', value: hourly(own, written[0]), unit: 'MB an hour' },
    { name: 'loader, disk writes while idle', value: hourly(loader, written[1]), unit: 'MB an hour' },
  ];
}

function memoryFigures(own: number, loader: number, consumer: number, empty: number): Figure[] {
  const unit = 'MB';
  const ceiling = { name: 'bare amqplib consumer', value: residentMb(consumer) };
  return [
    { name: 'agent, resident', value: residentMb(own), unit, ceiling, note: KNOWN },
    {
      name: 'bare amqplib consumer, resident',
      value: residentMb(consumer),
      unit,
      ceiling: { name: 'empty Node.js', value: residentMb(empty) },
    },
    {
      name: 'agent, private (not shared with others)',
      value: privateMb(own),
      unit,
      ceiling: { name: 'bare amqplib consumer', value: privateMb(consumer) },
    },
    { name: 'loader, resident', value: residentMb(loader), unit },
  ];
}

/** The peers, with a queue of their own in the broker's default vhost. */
async function openBare(stage: Stage, { rabbitmq }: Servers): Promise<Bare> {
  const { username, password } = new URL(rabbitmq.managementUrl);
  const url = `amqp://${username}:${password}@127.0.0.1:${rabbitmq.amqpPort}?heartbeat=20`;
  const bundle = await bundled(stage.folder);
  await using opened = new AsyncDisposableStack();
  const connection = await connect(url, { noDelay: true });
  opened.defer(() => connection.close());
  const channel = await connection.createChannel();
  const { queue: answers } = await channel.assertQueue('', { exclusive: true });
  let answered = () => {};
  await channel.consume(answers, () => answered(), { noAck: true });
  await channel.assertQueue('bare', { durable: true });
  const start = async (...args: string[]) => {
    const env = { PATH: '/usr/bin:/bin', MEGA_SERVER_FOLDER: stage.folder, PEER_BROKER: url };
    const logFile = join(stage.folder, 'bare.log');
    const started = await startProcess({ command: process.execPath, args, env, cwd: stage.folder, logFile });
    kept.defer(() => started.killAll());
    return started;
  };
  const kept = opened.move();
  return {
    async consumer() {
      channel.sendToQueue('bare', Buffer.from('{}'), { replyTo: answers, persistent: true });
      const first = Promise.withResolvers<void>();
      answered = first.resolve;
      const began = performance.now();
      const started = await start(bundle, 'bare');
      await first.promise;
      return { process: started, firstAnswerMs: performance.now() - began };
    },
    empty: () => start('-e', 'setInterval(() => {}, 1e9)'),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function bundled(folder: string): Promise<string> {
  const outfile = join(folder, 'consumer.mjs');
  const js = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  await build({
    entryPoints: [join(import.meta.dirname, '../peers/consumer.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js },
    outfile,
    logLevel: 'error',
  });
  return outfile;
}
