import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerProcess } from '../../dev/servers/process.ts';
import type { AgentProcess } from '../../dev/world/agent.ts';
import type { World } from '../../dev/world/world.ts';
import type { Task } from '../../src/cli/answers.ts';
import { cpuMs, median, processesIn, processIn, quantile, timed, timedRuns } from '../measure.ts';
import { type CountingProxy, openProxy } from '../proxy.ts';
import { addAgents, hostIds, openWorld } from '../real.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const FROM = '1.0.0';
const TO = '1.1.0';
const HOSTS = 50;
const QUICK_HOSTS = 10;
const CORES = 2;
const STARTS = 7;
const KB = 1024;

/** What the product is for. */
export const suite: Suite = {
  name: 'upgrade',
  help: 'an upgrade of 50 real agents: time, downtime, bytes and CPU a host',
  run,
};

type Room = {
  world: World;
  dispatcher: ServerProcess;
  agents: AgentProcess[];
  proxy: CountingProxy;
  artifact: number;
};

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true });
  await using proxy = await openProxy(servers.rabbitmq.amqpPort);
  const agent: { broker?: string } = {};
  await using world = await openWorld(stage, { servers, agent });
  agent.broker = `amqp://127.0.0.1:${proxy.port}/${world.name}`;
  const dispatcher = await world.startDispatcher();
  const agents = await addAgents(stage, world, hostIds(1 + (stage.quick ? QUICK_HOSTS : HOSTS)), FROM);
  const path = await world.publish(TO);
  const room = { world, dispatcher, agents, proxy, artifact: statSync(path).size };
  const start = await startOfAgent(agents[0]!);
  stage.log(`a start of an agent takes ${Math.round(start)} ms; upgrading ${agents.length} hosts ...`);
  return [...(await alone(stage, room, start)), ...(await measure(stage, room, start))];
}

/** With the machine to itself, as a host of a real fleet has: what is left is what the product takes. */
async function alone(stage: Stage, { world, agents }: Room, startMs: number): Promise<Figure[]> {
  const wall = await timed(() => world.mega('upgrade', '--to', TO, '--on', agents[0]!.id));
  const tasks = await tasksOf(world);
  const note = `phases: ${phaseText(tasks)}`;
  stage.log(`one alone: ${note}`);
  const [one, two] = [startMs, 2 * startMs].map((value, i) => {
    return { ceiling: { name: i === 0 ? 'one agent start' : 'two agent starts', value } };
  });
  return [
    { name: '`mega upgrade` of one agent', value: wall, unit: 'ms', ...two, note },
    { name: 'downtime of that host', value: downtimeMs(tasks[0]!), unit: 'ms', ...one },
  ];
}

/** All the others at once. */
async function measure(stage: Stage, all: Room, startMs: number): Promise<Figure[]> {
  const room = { ...all, agents: all.agents.slice(1) };
  const { world, agents, proxy } = room;
  const before = { ...cpuOfAll(stage, room), down: proxy.down, up: proxy.up };
  const wall = await timed(() => world.mega('upgrade', '--to', TO, '--on', 'all', '--waves', '100%'));
  const after = cpuOfAll(stage, room);
  const moved = proxy.down - before.down + (proxy.up - before.up);
  const tasks = await tasksOf(world);
  const away = tasks.map(downtimeMs);
  const one = (all: number) => all / agents.length;
  const phases = phaseText(tasks);
  stage.log(`phases, median: ${phases}`);
  const floor = {
    name: 'two agent starts each',
    value: (agents.length * startMs * 2) / CORES / 1000,
  };
  const unit = 'ms of CPU a host';
  const cpu = (part: keyof Cpu, name: string): Figure => {
    return { name: `CPU of ${name}`, value: one(after[part] - before[part]), unit };
  };
  return [
    {
      name: `\`mega upgrade\` of ${agents.length} agents, all at once`,
      value: wall / 1000,
      unit: 's',
      ceiling: floor,
      note: `no upgrade can do without these two starts, of the self-test and the new process; here on ${CORES} cores`,
    },
    {
      name: 'downtime of a host, median',
      value: median(away),
      unit: 'ms',
      ceiling: { name: 'one agent start', value: startMs },
    },
    {
      name: 'downtime of a host, the longest',
      value: Math.max(...away),
      unit: 'ms',
      note: `phases, median and p95: ${phases}`,
    },
    {
      name: 'bytes over the network a host, both ways',
      value: one(moved) / KB,
      unit: 'KB',
      ceiling: { name: 'the package itself', value: room.artifact / KB },
    },
    { ...cpu('agents', 'loader and agents'), ceiling: { name: 'two agent starts', value: 2 * startMs } },
    cpu('dispatcher', 'the dispatcher'),
    cpu('broker', 'the broker'),
    cpu('database', 'the database'),
  ];
}

type Cpu = { agents: number; dispatcher: number; broker: number; database: number };

/** A loader's CPU holds that of all its ended children, so that of an agent which has gone is not lost. */
function cpuOfAll(stage: Stage, { dispatcher, agents }: Room): Cpu {
  const sum = (pids: number[]) => pids.reduce((all, pid) => all + cpuMs(pid), 0);
  const pids = agents.flatMap((agent) => [agent.loaderPid, agent.agentPid]);
  return {
    agents: sum(pids),
    dispatcher: cpuMs(dispatcher.pid),
    broker: cpuMs(processIn(stage.folder, 'beam.smp')),
    database: sum(processesIn(stage.folder, 'mariadbd')),
  };
}

/** What no upgrade can do without: starting Node.js with the agent's code; ms, the fastest of some. */
async function startOfAgent({ home }: AgentProcess): Promise<number> {
  const node = join(home.current, 'runtime/bin/node');
  const args = [join(home.current, 'agent.mjs'), 'self-test', '--home', home.root];
  return Math.min(...(await timedRuns(STARTS, () => promisify(execFile)(node, args))));
}

async function tasksOf(world: World): Promise<Task[]> {
  const [job] = await world.call<{ id: string }[]>('get_all_job', { limit: 1 });
  const tasks = await world.call<Task[]>('get_all_task', { job: job!.id, events: true, limit: 100 });
  const moved = tasks.filter((task) => task.state !== 'skipped');
  const failed = moved.find((task) => task.state !== 'succeeded');
  if (failed) throw new Error(`${failed.host} is ${failed.state}: ${failed.reason}`);
  return moved;
}

/** From the old process's last word to the new one's proof, by the host's own clock. */
function downtimeMs({ events }: Task): number {
  const at = (phase: string) => events.find((event) => event.phase === phase)?.agentMs ?? Number.NaN;
  return at('completed') - at('restarting');
}

function phaseText(tasks: Task[]): string {
  const lasted = new Map<string, number[]>();
  for (const { events } of tasks) {
    const entered = events.filter(({ phase }, i) => phase !== null && phase !== events[i - 1]?.phase);
    for (const [i, { phase, agentMs }] of entered.entries()) {
      const next = entered[i + 1];
      if (next) lasted.set(phase!, [...(lasted.get(phase!) ?? []), next.agentMs - agentMs]);
    }
  }
  const told = [...lasted].map(
    ([phase, ms]) => `${phase} ${Math.round(median(ms))}/${Math.round(quantile(ms, 0.95))}`,
  );
  return `${told.join(', ')} ms`;
}
