import { until } from '../../dev/world/until.ts';
import { Arena } from '../hosts/arena.ts';
import type { Fleet } from '../hosts/fleet.ts';
import { addNoopJob, outcome, untilEnded } from '../hosts/jobs.ts';
import { hostIds } from '../hosts/names.ts';
import { timed } from '../measure.ts';
import type { Figure, Servers, Stage, Suite } from '../suite.ts';

const HOSTS = 10_000;
const QUICK_HOSTS = 1_000;
const HOSTS_A_CHILD = 2_500;
const BACK_MS = 300_000;

/** The worst minute of a fleet's broker: killed with all hosts connected and a job half sent. */
export const suite: Suite = {
  name: 'restart',
  help: 'the broker is killed with 10,000 hosts connected: how soon all are back, and whether a task is lost',
  run,
};

async function run(stage: Stage): Promise<Figure[]> {
  const hosts = stage.quick ? QUICK_HOSTS : HOSTS;
  const servers = await stage.servers({ tuned: true });
  await using arena = await Arena.open(stage, servers);
  const ids = hostIds(hosts);
  stage.log(`registering and connecting ${hosts} hosts`);
  await arena.register(ids);
  await using fleet = await arena.startHosts({
    ids,
    children: Math.max(2, Math.ceil(hosts / HOSTS_A_CHILD)),
  });
  const job = await addNoopJob(arena, ids);
  await untilSome(arena, job);
  const played = await killAndReturn(stage, servers, arena, fleet, hosts);
  await untilEnded(arena, job);
  return figures(hosts, played, await untilAllTold(arena, fleet, job, hosts));
}

/** Some of the orders are on their way, and some have been answered. */
async function untilSome(arena: Arena, job: string): Promise<void> {
  const some = async () => {
    const row = await arena.db.one("SELECT id FROM tasks WHERE job_id = ? AND state = 'succeeded' LIMIT 1", [
      job,
    ]);
    return row !== undefined;
  };
  await until('the first tasks of the job to succeed', some, { pollMs: 5 });
}

type Played = { startMs: number; backMs: number; heardMs: number };

/** `backMs`: until all are connected and read their queues; `heardMs`: until the dispatcher has heard all. */
async function killAndReturn(
  stage: Stage,
  { rabbitmq }: Servers,
  arena: Arena,
  fleet: Fleet,
  hosts: number,
): Promise<Played> {
  await rabbitmq.kill();
  const began = performance.now();
  const killed = await arena.db.one<{ now: Date }>('SELECT UTC_TIMESTAMP(3) AS now');
  const startMs = await timed(() => rabbitmq.start());
  stage.log(`the broker is back after ${Math.round(startMs)} ms`);
  const untilAll = (what: string, count: () => Promise<number>) =>
    until(what, async () => isAll(await count(), hosts), { deadlineMs: BACK_MS }).then(since(began));
  const [backMs, heardMs] = await Promise.all([
    untilAll('all hosts to read their queues', () => fleet.there()),
    untilAll('all hosts to be heard', () => heardSince(arena, killed!.now)),
  ]);
  return { startMs, backMs, heardMs };
}

async function heardSince(arena: Arena, time: Date): Promise<number> {
  const row = await arena.db.one<{ n: number }>('SELECT COUNT(*) AS n FROM hosts WHERE last_seen_at > ?', [
    time,
  ]);
  return Number(row?.n);
}

function isAll(count: number, hosts: number): true {
  if (count === hosts) return true;
  throw new Error(`${count} of ${hosts}`); // which is then what was seen last
}

const since = (began: number) => () => performance.now() - began;

type Told = { good: number; ms: number; runs: number; tasks: number };

async function untilAllTold(arena: Arena, fleet: Fleet, job: string, hosts: number): Promise<Told> {
  const told = { ...(await outcome(arena, [job])), ...(await fleet.ran()) };
  if (told.good === hosts && told.runs === hosts && told.tasks === hosts) return told;
  throw new Error(
    `of ${hosts} tasks ${told.good} went well, ${told.tasks} have run, ${told.runs} times in all`,
  );
}

function figures(hosts: number, { startMs, backMs, heardMs }: Played, told: Told): Figure[] {
  const ceiling = { name: "the broker's own start", value: startMs / 1000 };
  const name = `broker killed, ${hosts.toLocaleString('en-US')} hosts:`;
  const s = (ms: number) => ({ value: ms / 1000, unit: 's', ceiling });
  return [
    { name: `${name} the broker's own start`, value: startMs / 1000, unit: 's' },
    { name: `${name} all read their queues again`, ...s(backMs) },
    { name: `${name} all are heard again`, ...s(heardMs) },
    {
      name: `${name} the job under way has ended`,
      ...s(told.ms),
      note: `from its first row; each of its ${hosts} tasks ran once`,
    },
    {
      name: `${name} tasks lost or run twice`,
      value: hosts - told.good + told.runs - told.tasks,
      unit: '',
      aim: { atMost: 0 },
    },
  ];
}
