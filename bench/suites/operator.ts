import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { World } from '../../dev/world/world.ts';
import { median, timed, timedRuns } from '../measure.ts';
import { addAgents, hostIds, openWorld } from '../real.ts';
import { numberText } from '../report.ts';
import type { Figure, Servers, Stage, Suite } from '../suite.ts';

const root = join(import.meta.dirname, '../..');
const mega = join(root, 'bin/mega');
const peer = join(root, 'bench/peers/ask.ts');
const VERSION = '1.0.0';
const RUNS = 7;
const FLEETS = [50, 100, 200];
const QUICK_FLEETS = [10];
const AIMS_S: Record<number, number> = { 50: 0.35, 100: 0.45, 200: 0.6 };
const OTHERS: Record<number, string> = {
  50: 'known of others on such a machine: MCollective 0.37 s by named hosts, Celery 1.1 s, clush over ssh 7 s, Ansible 8 s',
  100: 'known of others: MCollective 0.71 s, clush over ssh 13 s',
  200: 'known of others: MCollective 1.16 s, clush over ssh 27 s',
};

/** What waits at a prompt: the time from Enter to the last line. */
export const suite: Suite = {
  name: 'operator',
  help: 'the wall time of `mega ping --on all` with 50, 100 and 200 real agents',
  run,
};

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true });
  await using world = await openWorld(stage, { servers });
  await world.startDispatcher();
  const figures: Figure[] = [await starting()];
  let there = 0;
  for (const size of stage.quick ? QUICK_FLEETS : FLEETS) {
    await addAgents(stage, world, hostIds(size - there, there + 1), VERSION);
    there = size;
    figures.push(...(await pingAll(stage, world, servers, size)));
  }
  return figures;
}

/** What every command pays before it does anything. */
async function starting(): Promise<Figure> {
  const command = (program: string, ...args: string[]) =>
    timedRuns(RUNS, () => promisify(execFile)(program, args));
  const own = median(await command(mega, '--version'));
  const bare = median(await command(process.execPath, '-e', '0'));
  const ceiling = { name: 'node -e 0', value: bare };
  return { name: '`mega --version`', value: own, unit: 'ms', ceiling };
}

async function pingAll(stage: Stage, world: World, servers: Servers, size: number): Promise<Figure[]> {
  const db = world.database();
  const before = await endedWell(db);
  await using floor = await openFloor(servers, size);
  const [times, floors]: [number[], number[]] = [[], []];
  for (let i = 0; i < RUNS + 1; i++) {
    // In turns, so that whatever else the machine does troubles both.
    times.push(await timed(() => world.mega('ping', '--on', 'all')));
    floors.push(await timed(floor.ask));
  }
  const recorded = (await endedWell(db)) - before;
  if (recorded !== times.length * size)
    throw new Error(`${recorded} answers are recorded, not ${times.length * size}`);
  for (const warmup of [times, floors]) warmup.shift();
  stage.log(`${size} agents: ${times.map((ms) => Math.round(ms)).join(', ')} ms`);
  const ceiling = { name: 'bare amqplib program', value: median(floors) / 1000 };
  const aim = AIMS_S[size] === undefined ? {} : { aim: { atMost: AIMS_S[size] } };
  const fastest = `the fastest of ${RUNS}: ${numberText(Math.min(...times) / 1000)} s`;
  const note = [fastest, ...(OTHERS[size] === undefined ? [] : [OTHERS[size]])].join('; ');
  const name = `\`mega ping --on all\`, ${size} agents`;
  return [
    { name, value: median(times) / 1000, unit: 's', ceiling, ...aim, note },
    { name: `${name}, the slowest of ${RUNS}`, value: Math.max(...times) / 1000, unit: 's', ceiling },
  ];
}

async function endedWell(db: ReturnType<World['database']>): Promise<number> {
  const row = await db.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM tasks WHERE type = 'ping' AND state = 'succeeded'",
  );
  return Number(row?.n);
}

/** The bare program that asks as many queues, and whoever answers it. */
async function openFloor({ rabbitmq }: Servers, size: number) {
  const { username, password } = new URL(rabbitmq.managementUrl);
  const url = `amqp://${username}:${password}@127.0.0.1:${rabbitmq.amqpPort}`;
  const env = { ...process.env, PEER_BROKER: url };
  const args = (role: string) => [peer, role, String(size)];
  const answering = spawn(process.execPath, args('answer'), { env, stdio: ['pipe', 'pipe', 'inherit'] });
  await once(answering.stdout, 'data');
  return {
    ask: () => promisify(execFile)(process.execPath, args('ask'), { env }),
    async [Symbol.asyncDispose]() {
      answering.stdin.end();
      if (answering.exitCode === null) await once(answering, 'exit');
    },
  };
}
