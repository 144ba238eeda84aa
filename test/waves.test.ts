import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ServerProcess } from '../dev/servers/process.ts';
import type { AgentProcess } from '../dev/world/agent.ts';
import { CRASHES } from '../dev/world/packages.ts';
import { until } from '../dev/world/until.ts';
import type { Conn } from '../src/lib/conn.ts';
import type { Order } from '../src/lib/messages.ts';
import { Crowd, type End, type Manner } from './support/crowd.ts';
import { outcomeOf } from './support/orders.ts';
import { QUICK_TRIAL, type TaskView, useWorld } from './support/world.ts';

type Job = {
  state: string;
  counts: Record<string, number>;
  errors: number;
  errorKinds: Record<string, number>;
  pausedReason: string | null;
  waitingFor: { what: string } | null;
  waves: { wave: number; hosts: number; counts: Record<string, number> }[];
};
const OPEN = ['pending', 'running', 'paused', 'cancelling'];
const GOOD: End = { state: 'succeeded' };

/** Two dispatchers, 199 hosts that are simulated and one that is real: names begin with the world's. */
describe('a job in waves', () => {
  let crowd: Crowd;
  const quick = { offlineAfterMs: 30_000, lostGraceMs: 1_000 };
  after(() => crowd?.[Symbol.asyncDispose]()); // before its world is
  const world = useWorld({ dispatcher: quick }, { dispatchers: 1 });
  let db: Conn;
  let agent: AgentProcess;
  let second: ServerProcess;
  const host = (n: number) => `${world().name}-${String(n).padStart(3, '0')}`;
  const hosts = (from: number, count: number) => Array.from({ length: count }, (_, i) => host(from + i));

  before(async () => {
    second = await world().startDispatcher();
    db = world().database();
    crowd = await Crowd.open(world(), hosts(1, 199));
    await world().publish('1.0.0');
    await world().publish('1.1.0', CRASHES);
    await world().publish('1.2.0');
    [agent] = (await world().addFleet([host(0)], '1.0.0')) as [AgentProcess];
  });

  const look = (job: string) => world().call<Job>('get_job', { id: job });
  const ping = async (on: string[], limits: object, manner: Manner = () => GOOD) => {
    crowd.manner = manner;
    crowd.mostAtOnce = 0;
    return (await world().call<{ job: string }>('ping', { on, limits: { deadlineMs: 600_000, ...limits } }))
      .job;
  };
  const untilState = (job: string, ...states: string[]) =>
    until(`job ${job} to be ${states}`, async () => {
      const found = await look(job);
      if (states.includes(found.state)) return found;
      throw new Error(JSON.stringify(found));
    });
  const untilEnded = (job: string) =>
    until(`job ${job} to end`, async () => {
      const found = await look(job);
      if (!OPEN.includes(found.state)) return found;
      throw new Error(JSON.stringify(found));
    });
  const tasksOf = (job: string) => world().call<TaskView[]>('get_all_task', { job, limit: 500 });
  /** Hosts that have begun anything of this job. */
  const begunIn = async (job: string) => {
    const ids = new Set(
      (await db.query<{ id: string }>('SELECT id FROM tasks WHERE job_id = ?', [job])).map((row) => row.id),
    );
    return crowd.orders.filter(({ order }) => ids.has(order.task)).map((one) => one.host);
  };
  const control = (what: string, job: string, more: object = {}) =>
    world().call<{ state: string; changed: boolean; tasks?: number }>(`${what}_job`, { id: job, ...more });
  /** Hosts answer when they are let. */
  function gate(end: End = GOOD) {
    const waiting: (() => void)[] = [];
    let open = false;
    const manner: Manner = () =>
      open ? end : new Promise<End>((resolve) => waiting.push(() => resolve(end)));
    const letAll = () => {
      open = true;
      for (const go of waiting.splice(0)) go();
    };
    return { manner, waiting, letAll };
  }

  test('stops a bad version at its first host, and 99 % of the fleet is never touched', async () => {
    crowd.manner = () => GOOD;
    const { job } = await world().call<{ job: string }>('client_upgrade', {
      to: '1.1.0',
      on: ['all'],
      trial: QUICK_TRIAL,
    });
    const paused = await untilState(job, 'paused');
    assert.match(paused.pausedReason!, /^1 error in wave 1, which bears 0 \(10% of 1\): 1 rolled back$/);
    assert.deepEqual([paused.errors, paused.errorKinds], [1, { rolled_back: 1 }]);
    assert.deepEqual(
      paused.waves.map((one) => one.hosts),
      [1, 19, 180],
    );
    assert.deepEqual(paused.counts, { failed: 1, pending: 199 });
    assert.deepEqual(await begunIn(job), []);
    const sent = await db.one<{ n: number }>(
      'SELECT COUNT(*) AS n FROM tasks WHERE job_id = ? AND attempts > 0',
      [job],
    );
    assert.equal(Number(sent!.n), 1);
    await control('cancel', job);
    assert.deepEqual((await untilState(job, 'cancelled')).counts, { cancelled: 199, failed: 1 });
  });

  test('takes a good version through all its waves, each when the one before has proved itself', async () => {
    const versions = await world().call<{ job: string }>('client_upgrade', {
      to: '1.2.0',
      on: ['all'],
      trial: QUICK_TRIAL,
    });
    const done = await untilEnded(versions.job);
    assert.deepEqual([done.state, done.counts], ['succeeded', { succeeded: 200 }]);
    const first = await db.query<{ wave: number; sent: Date; ended: Date }>(
      `SELECT wave, MIN(COALESCE(queued_at, accepted_at)) AS sent, MAX(finished_at) AS ended FROM tasks
       WHERE job_id = ? GROUP BY wave ORDER BY wave`,
      [versions.job],
    );
    assert.ok(first[1]!.sent >= first[0]!.ended && first[2]!.sent >= first[1]!.ended, JSON.stringify(first));
  });

  test('bears just as many errors as it was told to, in a number', async () => {
    const bad = new Set(hosts(1, 3));
    const manner: Manner = (id) => (bad.has(id) ? { state: 'failed' } : GOOD);
    const limits = { waves: [4, 8, '100%'], maxErrors: 3 };
    const borne = await untilEnded(await ping(hosts(1, 20), limits, manner));
    assert.deepEqual([borne.state, borne.counts], ['partial', { failed: 3, succeeded: 17 }]);
    const job = await ping(hosts(1, 20), { ...limits, maxErrors: 2 }, manner);
    const paused = await untilState(job, 'paused');
    assert.match(paused.pausedReason!, /^3 errors, and it bears 2: 3 failed$/);
    assert.equal((await begunIn(job)).length, 4);
    await control('cancel', job);
  });

  test('bears just as many errors as it was told to, in per cent of each wave', async () => {
    const bad = new Set([...hosts(1, 1), ...hosts(11, 2)]);
    const manner: Manner = (id) => (bad.has(id) ? { state: 'failed' } : GOOD);
    const limits = { waves: [10, '100%'], maxErrors: '10%', maxConcurrency: 10 };
    const borne = await untilEnded(await ping(hosts(1, 30), limits, manner)); // 1 of 10, then 2 of 20
    assert.deepEqual([borne.state, borne.counts], ['partial', { failed: 3, succeeded: 27 }]);
    bad.add(host(2));
    const job = await ping(hosts(1, 30), limits, manner);
    assert.match((await untilState(job, 'paused')).pausedReason!, /^2 errors in wave 1, which bears 1/);
    assert.equal((await begunIn(job)).length, 10);
    await control('cancel', job);
    // Six of the first ten of a wave of fifty: long before all have ended.
    bad.delete(host(2));
    for (const one of hosts(11, 6)) bad.add(one);
    const next = await ping(hosts(1, 60), limits, manner);
    assert.match((await untilState(next, 'paused')).pausedReason!, /^6 errors in wave 2, which bears 5/);
    await control('cancel', next);
  });

  test('keeps to its concurrency and its rate', async () => {
    const manner: Manner = () => new Promise((resolve) => setTimeout(() => resolve(GOOD), 20));
    const done = await untilEnded(await ping(hosts(1, 60), { maxConcurrency: 7 }, manner));
    assert.deepEqual(done.counts, { succeeded: 60 });
    assert.equal(crowd.mostAtOnce, 7);
    const began = performance.now();
    await untilEnded(await ping(hosts(1, 21), { rate: 20 }));
    assert.ok(performance.now() - began > 900, `20 a second, all in ${performance.now() - began} ms`);
  });

  test('pauses in mid wave: what is under way goes on, nothing starts, and after a resume each host starts once', async () => {
    const { manner, waiting, letAll } = gate();
    const job = await ping(hosts(1, 20), { maxConcurrency: 5 }, manner);
    await until('five to be under way', () => waiting.length === 5);
    assert.equal((await control('pause', job, { reason: 'it smells' })).changed, true);
    assert.match((await look(job)).pausedReason!, /^paused by op_.*: it smells$/);
    letAll();
    await until('the five to have ended', async () => (await look(job)).counts.succeeded === 5);
    await until('nothing to be ready', async () => {
      const row = await db.one<{ n: number }>(
        "SELECT COUNT(*) AS n FROM tasks WHERE job_id = ? AND state = 'pending' AND ready <> 0",
        [job],
      );
      return Number(row!.n) === 0;
    });
    assert.equal((await begunIn(job)).length, 5);
    await control('resume', job);
    assert.deepEqual((await untilEnded(job)).counts, { succeeded: 20 });
    assert.equal(new Set(await begunIn(job)).size, 20);
  });

  test('is cancelled in mid wave: what has not begun never begins, and hosts at work are told', async () => {
    const { manner, waiting } = gate();
    const job = await ping(hosts(1, 20), { waves: [5, '100%'] }, manner);
    await until('the first wave to be under way', () => waiting.length === 5);
    const { code, out } = await outcomeOf(world(), 'job', 'cancel', job);
    assert.equal(code, 0, out);
    const done = await untilEnded(job);
    assert.deepEqual([done.state, done.counts], ['cancelled', { cancelled: 20 }]);
    assert.equal((await begunIn(job)).length, 5);
  });

  test('goes on by the other dispatcher when one is killed in mid wave, within its limits and with no host twice', async () => {
    const manner: Manner = () => new Promise((resolve) => setTimeout(() => resolve(GOOD), 30));
    const job = await ping(hosts(1, 150), { waves: [20, '100%'], maxConcurrency: 12 }, manner);
    await until('the second wave to be under way', async () => (await begunIn(job)).length > 40);
    await second.end('SIGKILL');
    const done = await untilEnded(job);
    assert.deepEqual([done.state, done.counts], ['succeeded', { succeeded: 150 }]);
    assert.ok(crowd.mostAtOnce <= 12, `${crowd.mostAtOnce} at once`);
    const begun = await begunIn(job);
    assert.deepEqual([begun.length, new Set(begun).size], [150, 150]);
    assert.ok([...crowd.begun.values()].every((times) => times === 1));
  });

  test('waits for nobody who is away, and takes them within its limits when they come back', async () => {
    const gone = hosts(3, 6);
    await crowd.away(...gone);
    const job = await ping(hosts(1, 20), { waves: [4, '100%'], maxConcurrency: 2 });
    await until('all who are there to be done', async () => (await look(job)).counts.succeeded === 14);
    const waits = await until('it to wait for hosts', async () => (await look(job)).waitingFor);
    assert.equal(waits.what, 'hosts');
    const { manner, waiting, letAll } = gate();
    crowd.manner = manner;
    await crowd.back(...gone);
    await until('two of them to be under way', () => waiting.length === 2);
    letAll();
    assert.deepEqual((await untilEnded(job)).counts, { succeeded: 20 });
    assert.equal(crowd.mostAtOnce, 2);
  });

  test('ends what a host left open that was removed', async () => {
    const { manner, waiting, letAll } = gate();
    const silent: Manner = (id, order) => (id === host(195) ? undefined : manner(id, order));
    const job = await ping(hosts(195, 5), { waves: [2, '100%'], maxErrors: 1 }, silent);
    await until(
      'the first wave to be under way',
      async () => (await begunIn(job)).length === 2 && waiting.length === 1,
    );
    await world().call('del_server', { host: host(195) });
    await world().call('del_server', { host: host(199) });
    letAll();
    const done = await untilEnded(job);
    assert.deepEqual([done.state, done.counts], ['partial', { cancelled: 1, lost: 1, succeeded: 3 }]);
  });

  test('waits for an approval after each wave, and for a freeze to end', async () => {
    const job = await ping(hosts(1, 6), { waves: [2, 4, '100%'], pauseBetween: 'approve', rate: 100 });
    await until('it to wait', async () => (await look(job)).waitingFor?.what === 'approval');
    assert.equal((await begunIn(job)).length, 2);
    await world().mega('job', 'approve', job);
    await until('the second wave', async () => (await begunIn(job)).length === 4);
    await until('it to wait again', async () => (await look(job)).waitingFor?.what === 'approval');
    await assert.rejects(control('approve', job, { wave: 5 }), /last wave|one at a time/);
    await control('approve', job, { wave: 3 });
    assert.deepEqual((await untilEnded(job)).counts, { succeeded: 6 });
  });

  test('sends nothing but pings while all is frozen', async () => {
    await world().mega('freeze', '--reason', 'the storage is being moved');
    const { job } = await world().call<{ job: string }>('rotate_secret', { on: hosts(1, 3) });
    assert.deepEqual((await untilEnded(await ping(hosts(1, 3), {}))).counts, { succeeded: 3 });
    assert.deepEqual([(await look(job)).waitingFor?.what, await begunIn(job)], ['frozen', []]);
    assert.match(
      await world().mega('job', 'list'),
      /^all is frozen by op_\S+ since .*: the storage is being moved/,
    );
    await world().mega('unfreeze');
    assert.deepEqual((await untilEnded(job)).counts, { succeeded: 3 });
  });

  test('tries again by itself what did no harm, and what an operator wants tried again', async () => {
    const seen = new Map<string, number>();
    const count = (id: string) => seen.set(id, (seen.get(id) ?? 0) + 1).get(id)!;
    const manner: Manner = (id: string, _order: Order) => {
      if (id === host(1)) return count(id) < 3 ? { state: 'failed' } : GOOD;
      return id === host(2) && count(id) < 4 ? { state: 'failed', reason: 'no' } : GOOD;
    };
    const job = await ping(hosts(1, 4), { retries: 2, retryAfterMs: 100, waves: [2, '100%'] }, manner);
    const done = await untilEnded(job);
    assert.deepEqual([done.state, done.counts], ['partial', { failed: 1, succeeded: 3 }]);
    assert.deepEqual([seen.get(host(1)), seen.get(host(2))], [3, 3]);
    assert.match(await world().mega('job', 'retry', job, '--failed'), /1 host is tried again/);
    const better = await untilEnded(job);
    assert.deepEqual([better.state, better.counts], ['succeeded', { succeeded: 4 }]);
    assert.equal((await tasksOf(job)).length, 4);
  });

  test('sends an order that nobody read anew, when its limits let it', async () => {
    const job = await ping(hosts(1, 3), { maxConcurrency: 1 }, () => undefined);
    await until('one to be under way', async () => (await begunIn(job)).length === 1);
    await control('pause', job);
    await db.run(
      "UPDATE tasks SET state = 'queued', ready = 1, order_expires_at = '2020-01-01' WHERE job_id = ? AND state = 'pending' LIMIT 1",
      [job],
    );
    const returned = async () => {
      const rows = await db.query<{ ready: number }>(
        "SELECT ready FROM tasks WHERE job_id = ? AND state = 'pending'",
        [job],
      );
      return rows.length === 2 && rows.every((row) => row.ready === 0);
    };
    await until('the order to have come back', returned);
    await control('cancel', job);
  });

  test('is told apart from one that is not there', async () => {
    for (const id of ['nosuch', '0198c0de-0000-7000-8000-000000000001']) {
      const { code, err } = await outcomeOf(world(), 'job', 'show', id);
      assert.equal(code, 2);
      assert.match(err, /there is no job .*; mega job list shows the latest/);
    }
    assert.match(await world().mega('job', 'list'), /JOB +STATE +MADE +BY +WHAT/);
    assert.equal(agent.id, host(0));
  });
});
