import { planJob } from '../../src/dispatcher/jobs/plan.ts';
import { inWaves } from '../../src/dispatcher/jobs/start.ts';
import { lookAt, stepJob } from '../../src/dispatcher/jobs/step.ts';
import { drivenJobs, getDriven } from '../../src/dispatcher/store/driving.ts';
import { addJob } from '../../src/dispatcher/store/jobs.ts';
import { gateOf } from '../../src/dispatcher/windows.ts';
import { type Conn, conn } from '../../src/lib/conn.ts';
import { limits, waveSizes } from '../../src/lib/limits.ts';
import { createLogger } from '../../src/lib/logs.ts';
import { uuidv7 } from '../../src/lib/utils.ts';
import { Arena, usEach } from '../hosts/arena.ts';
import { outcome, untilEnded } from '../hosts/jobs.ts';
import { hostIds } from '../hosts/names.ts';
import { median, residentMb, timed } from '../measure.ts';
import { openWorld } from '../real.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const ROWS = [500, 2_000, 10_000];
const HOSTS = [500, 2_000];
const QUICK_HOSTS = [100, 400];
const CHILDREN = 2;
const DAY_MS = 86_400_000;
/** What does not grow with the fleet may still be measured so much slower by chance. */
const MOST = 1.5;
const WAVES = limits.parse({ waves: [1, '10%', '100%'], maxConcurrency: 50, maxErrors: '10%', retries: 1 });

/** A job in waves must not cost more for each host because there are more of them. */
export const suite: Suite = {
  name: 'waves',
  help: 'a step of planning with 500, 2,000 and 10,000 tasks; jobs in waves over 500 and 2,000 hosts',
  run,
};

async function run(stage: Stage): Promise<Figure[]> {
  return [...(await planning(stage)), ...(await driving(stage))];
}

type Planned = { rows: number; stepMs: number; planMs: number; perHostUs: number };

/** By the dispatcher's own functions on a database; hosts that answer at once are played by a statement. */
async function planning(stage: Stage): Promise<Figure[]> {
  await using servers = await stage.servers({ tuned: true });
  await using world = await openWorld(stage, { servers });
  await (await world.startDispatcher()).end('SIGTERM'); // it has made the tables
  await using db = conn(world.databaseUrl, { connections: 2 });
  const all: Planned[] = [];
  for (const rows of ROWS) {
    stage.signal.throwIfAborted();
    all.push(await planned(db, rows));
    stage.log(JSON.stringify(all.at(-1)));
  }
  const [small, ...larger] = all as [Planned, ...Planned[]];
  return [
    { name: `a step, ${small.rows} tasks`, value: small.stepMs, unit: 'ms' },
    ...larger.map((one) => grown(`a step, ${one.rows} tasks`, one.stepMs, small.stepMs, 'ms')),
    { name: 'the planner alone', value: all.at(-1)!.planMs * 1_000, unit: 'us' },
    { name: `all steps, ${small.rows} tasks`, value: small.perHostUs, unit: 'us a host' },
    ...larger.map((one) =>
      grown(`all steps, ${one.rows} tasks`, one.perHostUs, small.perHostUs, 'us a host'),
    ),
  ];
}

const grown = (name: string, value: number, beside: number, unit: string): Figure => {
  return {
    name,
    value,
    unit,
    ceiling: { name: 'the smallest', value: beside },
    aim: { atMost: MOST, of: 'ratio' },
  };
};

async function planned(db: Conn, rows: number): Promise<Planned> {
  const ids = Array.from({ length: rows }, (_, i) => `rows-${rows}-${i}`);
  const now = new Date();
  await db.run('INSERT INTO hosts (id, registered_at, online) VALUES ?', [ids.map((id) => [id, now, 1])]);
  const job = await addDriven(db, ids);
  const logger = createLogger({ file: 'stderr', level: 'silent' });
  const times: number[] = [];
  const planTimes: number[] = [];
  while ((await drivenJobs(db)).some((one) => one.id === job)) {
    const step = () => db.transaction((tx) => stepJob({ db: tx, logger, patienceMs: DAY_MS }, job, false));
    times.push(await timed(step));
    if (times.length % 10 === 0) planTimes.push(await planOnly(db, job));
    await db.run(
      "UPDATE tasks SET state = 'succeeded', finished_at = UTC_TIMESTAMP(3) WHERE job_id = ? AND state = 'pending' AND ready = 1",
      [job],
    );
  }
  const perHostUs = (times.reduce((sum, one) => sum + one, 0) * 1_000) / rows;
  return { rows, stepMs: median(times), planMs: median(planTimes), perHostUs };
}

async function planOnly(db: Conn, id: string): Promise<number> {
  const job = await getDriven(db, id);
  if (!job) return Number.NaN;
  const look = await lookAt(db, job, await gateOf(db, job), DAY_MS);
  return timed(async () => planJob(look));
}

async function addDriven(db: Conn, hosts: string[]): Promise<string> {
  const waves = waveSizes(WAVES.waves, hosts.length);
  const tasks = hosts.map((host) => {
    const about = {
      id: uuidv7(),
      host,
      args: {},
      state: 'pending' as const,
      reason: null,
      fromVersion: null,
    };
    return { ...about, online: true };
  });
  const id = uuidv7();
  const job = { id, type: 'noop', args: {}, target: 'all', by: 'bench', callKey: id };
  const times = { timeoutMs: 60_000, deadlineMs: DAY_MS };
  const driven = { limits: WAVES, waves };
  await db.transaction((tx) => addJob(tx, { ...job, ...times, tasks: inWaves(tasks, waves), driven }));
  return id;
}

/** Simulated hosts, a real dispatcher, the function `ping`. */
async function driving(stage: Stage): Promise<Figure[]> {
  const sizes = stage.quick ? QUICK_HOSTS : HOSTS;
  const all = [];
  for (const hosts of sizes) all.push(await driven(stage, hosts));
  const small = all[0]!;
  return all.flatMap((one) => {
    const figure = (name: string, value: number, beside: number, unit: string): Figure =>
      one === small ? { name, value, unit } : grown(name, value, beside, unit);
    return [
      {
        name: `in waves, ${one.hosts} hosts`,
        value: one.ms,
        unit: 'ms',
        note: `at once: ${Math.round(one.plainMs)} ms`,
      },
      ...(['dispatcher', 'database'] as const).map((of) => {
        const note = `at once: ${Math.round(one.plainUs[of])} us`;
        return {
          ...figure(`${of}, ${one.hosts} hosts in waves`, one.us[of], small.us[of], 'us a host'),
          note,
        };
      }),
      { name: `dispatcher, resident, ${one.hosts} hosts`, value: one.dispatcherMb, unit: 'MB' },
    ];
  });
}

async function driven(stage: Stage, hosts: number) {
  await using servers = await stage.servers({ tuned: true });
  await using arena = await Arena.open(stage, servers);
  await arena.register(hostIds(hosts));
  await using _fleet = await arena.startHosts({ ids: hostIds(hosts), children: CHILDREN });
  const pinged = async (wanted: object) => {
    const { job } = await arena.call<{ job: string }>('ping', { on: ['all'], limits: wanted });
    const { good, ms } = await outcome(arena, [await untilEnded(arena, job)]);
    if (good !== hosts) throw new Error(`${hosts - good} of ${hosts} hosts did not answer`);
    return ms;
  };
  const wanted = { ...WAVES, deadlineMs: DAY_MS };
  for (const one of [{}, wanted]) await pinged(one); // the first of everything takes longer
  const start = arena.burnt();
  const plainMs = await pinged({});
  const before = arena.burnt();
  const ms = await pinged(wanted);
  const [plainUs, us] = [usEach(start, before, hosts), usEach(before, arena.burnt(), hosts)];
  const measured = { hosts, ms, plainMs, us, plainUs, dispatcherMb: residentMb(arena.dispatcherPid) };
  stage.log(JSON.stringify(measured, (_, value) => (typeof value === 'number' ? Math.round(value) : value)));
  return measured;
}
