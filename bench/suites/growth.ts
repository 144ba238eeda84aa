import type { ServerProcess } from '../../dev/servers/process.ts';
import { until } from '../../dev/world/until.ts';
import type { World } from '../../dev/world/world.ts';
import {
  cancelUntaken,
  claimPending,
  expireTasks,
  markLost,
  returnExpiredOrders,
} from '../../src/dispatcher/store/due.ts';
import { addJob, finishJobs, hostsMoving, jobsToEnd } from '../../src/dispatcher/store/jobs.ts';
import { type Conn, conn } from '../../src/lib/conn.ts';
import { uuidv7 } from '../../src/lib/utils.ts';
import { type Filled, fill } from '../history/fill.ts';
import { timed } from '../measure.ts';
import { openWorld } from '../real.ts';
import type { Figure, Servers, Stage, Suite } from '../suite.ts';

const HOSTS = 100_000;
const TASKS = 10_000_000;
const QUICK_HOSTS = 2_000;
const QUICK_TASKS = 100_000;
const SMALL_SHARE = 100;
const MAX_FILL_MS = 300_000;
const DATABASE = [
  '--innodb-buffer-pool-size=4G',
  '--innodb-log-file-size=1G',
  '--innodb-sort-buffer-size=64M',
];
const CLAIM = 400;
const RUNS = 5;
/** What does not grow with history may still be measured so much slower by chance. */
const MOST = 1.5;
const GRACE_MS = 120_000;
const PLAN_MS = 120_000;
const STATEMENT_MS = 120_000;
const ORDER_MS = 600_000;

/** Years of history must not slow down the work of today. */
export const suite: Suite = {
  name: 'growth',
  help: '100,000 hosts and 10 million finished tasks, beside a hundredth of that history',
  run,
};

/** A world with little history, and one with much; whatever is measured is measured in turns. */
type Side = { world: World; filled: Filled; db: Conn };
type Sides = { small: Side; big: Side };
type Times = { name: string; small: number; big: number };

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true, database: DATABASE });
  const hosts = stage.quick ? QUICK_HOSTS : HOSTS;
  const tasks = stage.quick ? QUICK_TASKS : TASKS;
  await using opened = new AsyncDisposableStack();
  const small = await prepare(stage, servers, opened, hosts, tasks / SMALL_SHARE);
  const big = await prepare(stage, servers, opened, hosts, tasks);
  const sides = { small, big };
  const times = [
    ...(await feltTimes(stage, sides, hosts)), // with a dispatcher for each; what follows is without
    ...(await storeTimes(stage, sides)),
  ];
  const told = (n: number) => n.toLocaleString('en-US');
  const beside = `with ${told(small.filled.tasks)} tasks`;
  const note = `${told(big.filled.tasks)} tasks in ${told(big.filled.jobs)} jobs, of ${told(hosts)} hosts`;
  return times.map(({ name, small: value, big: most }, i) => {
    const about = { name, value: most, unit: 'ms', ceiling: { name: beside, value } };
    return { ...about, aim: { atMost: MOST, of: 'ratio' }, ...(i === 0 ? { note } : {}) };
  });
}

async function prepare(
  stage: Stage,
  servers: Servers,
  opened: AsyncDisposableStack,
  hosts: number,
  tasks: number,
): Promise<Side> {
  const world = opened.use(await openWorld(stage, { servers }));
  await (await world.startDispatcher()).end('SIGTERM'); // it has made the tables
  const filled = await fill(stage, world.databaseUrl, { hosts, tasks, maxMs: MAX_FILL_MS });
  const db = opened.use(conn(world.databaseUrl, { connections: 2, timeoutMs: STATEMENT_MS }));
  return { world, filled, db };
}

/**
 * The fastest of runs in turns: whatever else the machine does only ever makes a run slower, and what grows with
 * history shows in the fastest, too.
 */
async function inTurns(
  name: string,
  { small, big }: Sides,
  work: (side: Side) => Promise<unknown>,
  runs = RUNS,
): Promise<Times> {
  const [ofSmall, ofBig]: [number[], number[]] = [[], []];
  for (let i = 0; i < runs; i++) {
    ofSmall.push(await timed(() => work(small)));
    ofBig.push(await timed(() => work(big)));
  }
  return { name, small: Math.min(...ofSmall), big: Math.min(...ofBig) };
}

/** What an operator waits for. */
async function feltTimes(stage: Stage, sides: Sides, hosts: number): Promise<Times[]> {
  const runs = stage.quick ? 2 : RUNS;
  const dispatchers: ServerProcess[] = [];
  const start = async ({ world }: Side) => dispatchers.push(await world.startDispatcher());
  const times = [await inTurns('start of a dispatcher', sides, start, 1)];
  const commands: [string, (side: Side) => string[], number][] = [
    [`\`mega host list\` of ${hosts.toLocaleString('en-US')} hosts`, () => ['host', 'list'], 1],
    ['`mega job list`', () => ['job', 'list'], runs],
    ['`mega job show` of one over all hosts', ({ filled }) => ['job', 'show', filled.lastJob], 1],
    ['`mega task list --host`', () => ['task', 'list', '--host', 'host-001000'], runs],
    ['`mega task list`', () => ['task', 'list'], runs],
  ];
  for (const [name, args, count] of commands) {
    stage.signal.throwIfAborted();
    times.push(await inTurns(name, sides, (side) => side.world.mega(...args(side)), count));
    stage.log(`${name}: ${times.at(-1)!.small.toFixed(0)} and ${times.at(-1)!.big.toFixed(0)} ms`);
  }
  stage.log('a ping of all hosts, none of which is there ...');
  times.push(await inTurns('planning a job over all hosts', sides, ({ world }) => planned(stage, world), 1));
  for (const dispatcher of dispatchers) await dispatcher.end('SIGTERM');
  for (const { db } of [sides.small, sides.big]) await endPings(db);
  await untilPurged(stage, sides.big.db);
  return times;
}

/** Until the job is there; a call of that many hosts may last longer than callers wait. */
async function planned(stage: Stage, world: World): Promise<void> {
  const before = await newestJob(world);
  try {
    await world.call('ping', { on: ['all'] });
  } catch (error) {
    stage.log(`the call itself: ${error}`);
    const there = async () => (await newestJob(world)) !== before;
    await until('the job to be there', there, { deadlineMs: PLAN_MS, signal: stage.signal });
  }
}

async function newestJob(world: World): Promise<string | undefined> {
  return (await world.call<{ id: string }[]>('get_all_job', { limit: 1 })).at(0)?.id;
}

/** Nobody is there to answer: what was left open is of no use to what follows. */
async function endPings(db: Conn): Promise<void> {
  await db.run("UPDATE tasks SET state = 'expired' WHERE state = 'pending'");
  await db.run("UPDATE jobs SET state = 'failed' WHERE state = 'running'");
}

/** Until the server has cleared away the old versions of what was changed: meanwhile it reads them again and again. */
async function untilPurged(stage: Stage, db: Conn): Promise<void> {
  const look = async () => {
    const row = await db.one<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'");
    return Number(row?.Value) === 0; // it counts transactions, of whatever size
  };
  await until('the old versions of rows to be purged', look, { deadlineMs: PLAN_MS, signal: stage.signal });
}

/** What the loops ask, many times a minute. */
async function storeTimes(stage: Stage, sides: Sides): Promise<Times[]> {
  const looks: [string, (db: Conn) => Promise<unknown>][] = [
    ['a look for due tasks, with none', (db) => claimPending(db, '', ORDER_MS, CLAIM)],
    ['a look for expired orders', (db) => returnExpiredOrders(db, 2_000)],
    ['a look for tasks past their deadline', (db) => expireTasks(db)],
    ['a look for lost tasks', (db) => markLost(db, GRACE_MS)],
    ['a look for cancelled, untaken tasks', (db) => cancelUntaken(db, GRACE_MS)],
    ['a look for jobs to end', (db) => jobsToEnd(db, 100)],
    ['which hosts are being upgraded', (db) => hostsMoving(db)],
  ];
  const times: Times[] = [];
  for (const [name, look] of looks) {
    stage.signal.throwIfAborted();
    times.push(await inTurns(name, sides, ({ db }) => look(db)));
    stage.log(`${name}: ${times.at(-1)!.small.toFixed(1)} and ${times.at(-1)!.big.toFixed(1)} ms`);
  }
  times.push(await endsOfJob(sides));
  for (const { db } of [sides.small, sides.big]) await addDue(db);
  times.push(await inTurns(`a claim of ${CLAIM} due tasks`, sides, ({ db }) => claim(db)));
  return times;
}

async function endsOfJob(sides: Sides): Promise<Times> {
  const end = async ({ db }: Side) => finishJobs(db, await jobsToEnd(db, 100));
  const all: Times[] = [];
  for (let i = 0; i < RUNS; i++) {
    for (const { db, filled } of [sides.small, sides.big])
      await db.run("UPDATE jobs SET state = 'running' WHERE id = ?", [filled.lastJob]);
    all.push(await inTurns('', sides, end, 1));
  }
  const fastest = (side: 'small' | 'big') => Math.min(...all.map((one) => one[side]));
  return { name: 'the end of a job over all hosts', small: fastest('small'), big: fastest('big') };
}

/** Tasks that wait for hosts which are there. */
async function addDue(db: Conn): Promise<void> {
  await db.run('UPDATE hosts SET online = 1 ORDER BY id LIMIT 2000');
  const rows = await db.query<{ id: string }>('SELECT id FROM hosts WHERE online = 1');
  const tasks = rows.map(({ id: host }) => {
    return { id: uuidv7(), host, args: {}, state: 'pending' as const, reason: null, fromVersion: null };
  });
  const times = { timeoutMs: 60_000, deadlineMs: ORDER_MS };
  const job = { id: uuidv7(), type: 'ping', args: {}, target: 'all', by: 'op_bench', callKey: uuidv7() };
  await db.transaction((tx) => addJob(tx, { ...job, ...times, tasks }));
}

async function claim(db: Conn): Promise<void> {
  const { due } = await claimPending(db, '', ORDER_MS, CLAIM);
  if (due.length !== CLAIM) throw new Error(`${due.length} tasks were due, not ${CLAIM}`);
}
