import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import type { Conn } from '../src/lib/conn.ts';
import { readIfThere } from '../src/lib/files.ts';
import { homeAt } from '../src/lib/home.ts';
import { encode, MAX_BODY_BYTES } from '../src/lib/messages.ts';
import { hostQueue } from '../src/lib/topology.ts';
import { signBody } from '../src/lib/trust/jose.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { holdInPreflight, letGo } from './support/outage.ts';
import { untilQueuesAreEmpty } from './support/outage-broker.ts';
import {
  asDispatcher,
  asHost,
  closeConnections,
  messagesIn,
  orderKeyOf,
  orderOf,
  say,
  sendOrder,
  takeDead,
} from './support/outage-once.ts';
import { ended, type JobView, type TaskView, tasksOf, told, upgrade, useWorld } from './support/world.ts';

const PREPARED = 'preflight downloading verifying staging switching restarting watching completed';
const said = (task: TaskView | undefined) => task?.events.map((one) => one.phase ?? one.state).join(' ');

describe('a task takes effect once and is recorded once', () => {
  const quick = { taskDeadlineMs: 6_000, lostGraceMs: 2_000, offlineAfterMs: 4_000 };
  const world = useWorld({ dispatcher: quick }, { dispatchers: 2 });
  const agents = new Map<string, AgentProcess>();
  const host = (letter: string) => agents.get(letter)!;
  const id = (letter: string) => `${world().name}-${letter}`;
  let db: Conn;

  before(async () => {
    const letters = ['a', 'b', 'c', 'd'];
    for (const version of ['1.1.0', '1.2.0']) await world().publish(version);
    for (const agent of await world().addFleet(letters.map(id), '1.0.0')) agents.set(agent.id.at(-1)!, agent);
    db = world().database();
  });

  const ping = async (...letters: string[]) => {
    return (await world().call<{ job: string }>('ping', { on: letters.map(id) })).job;
  };
  const taskOf = async (job: string, letter: string) => {
    return until(`the task of ${letter}`, async () => (await tasksOf(world(), job)).get(id(letter)));
  };
  const startsOf = (letter: string) => {
    const log = readIfThere(host(letter).loaderLog) ?? '';
    return [...log.matchAll(/started (\S+), pid/g)].map(([, version]) => version);
  };
  /** When this was answered, whatever was in the host's queue before it has been taken. */
  const pinged = async (letter: string) => {
    const tasks = await ended(world(), await ping(letter));
    assert.equal(told(tasks.get(id(letter))), `succeeded  ${host(letter).current}`);
    return tasks.get(id(letter))!;
  };

  test('a ping whose order comes four times, once of them after its end, is answered once', async () => {
    await using dispatcher = await asDispatcher(world());
    await host('a').stop();
    const job = await ping('a');
    const { id: task } = await taskOf(job, 'a');
    const [order, key] = [await orderOf(db, task), orderKeyOf(world())];
    await sendOrder(dispatcher, order, key);
    await sendOrder(dispatcher, order, key);
    await host('a').start();
    assert.equal(said((await ended(world(), job)).get(id('a'))), 'succeeded');
    await sendOrder(dispatcher, order, key);
    await pinged('a');
    assert.equal(said((await tasksOf(world(), job)).get(id('a'))), 'succeeded');
  });

  test('an upgrade whose order comes four times, once of them after its end, runs once', async () => {
    await using dispatcher = await asDispatcher(world());
    await host('b').stop();
    const job = await upgrade(world(), '1.1.0', [id('b')]);
    const { id: task } = await taskOf(job, 'b');
    const [order, key] = [await orderOf(db, task), orderKeyOf(world())];
    await sendOrder(dispatcher, order, key);
    await sendOrder(dispatcher, order, key);
    await host('b').start();
    assert.equal(said((await ended(world(), job)).get(id('b'))), `accepted running ${PREPARED}`);
    await sendOrder(dispatcher, order, key);
    await pinged('b');
    assert.equal(said((await tasksOf(world(), job)).get(id('b'))), `accepted running ${PREPARED}`);
    assert.deepEqual(startsOf('b'), ['1.0.0', '1.0.0', '1.1.0']);
  });

  test('an agent killed after it wrote an order down and before it acknowledged it runs it once', async () => {
    await using dispatcher = await asDispatcher(world());
    host('c').setFault('preflight:entry', 'both');
    const job = await upgrade(world(), '1.1.0', [id('c')]);
    await until('agent and loader to be dead', () => !host('c').running && !host('c').faultIsPending());
    const queue = hostQueue(id('c'));
    await until('the order to be back', async () => (await messagesIn(dispatcher, queue)) === 1);
    await host('c').start();
    const task = (await ended(world(), job)).get(id('c'));
    assert.equal(said(task), `accepted running preflight ${PREPARED}`, task?.reason ?? '');
    assert.deepEqual(startsOf('c'), ['1.0.0', '1.0.0', '1.1.0']);
    assert.equal(task?.attempts, 1);
  });

  test('200 pings by two dispatchers are each sent once and recorded once', async () => {
    const jobs = await Promise.all(Array.from({ length: 50 }, () => ping('a', 'b', 'c', 'd')));
    for (const job of jobs) await ended(world(), job);
    const rows = await db.query<{ state: string; attempts: number; events: number }>(
      `SELECT t.state, t.attempts, (SELECT COUNT(*) FROM task_events e WHERE e.task_id = t.id) AS events
       FROM tasks t WHERE t.job_id IN (?)`,
      [jobs],
    );
    assert.equal(rows.length, 200);
    for (const row of rows) assert.deepEqual({ ...row }, { state: 'succeeded', attempts: 1, events: 1 });
  });

  test('results under way while all connections are ended by force are each recorded once', async () => {
    const all = [...agents.values()];
    for (const agent of all) process.kill(agent.agentPid, 'SIGSTOP');
    const jobs = await Promise.all(Array.from({ length: 25 }, () => ping('a', 'b', 'c', 'd')));
    const states = async () => {
      return db.query<{ state: string }>('SELECT state FROM tasks WHERE job_id IN (?)', [jobs]);
    };
    await until('all orders to be sent', async () => (await states()).every((one) => one.state === 'queued'));
    for (const agent of all) process.kill(agent.agentPid, 'SIGCONT');
    let closed = 0;
    for (let round = 0; round < 3; round++) {
      closed += await until('connections to end', () => closeConnections(world()), { pollMs: 20 });
    }
    assert.ok(closed >= 8, `only ${closed} connections were ended`);
    for (const job of jobs) {
      for (const task of (await ended(world(), job)).values()) {
        assert.equal(said(task), 'succeeded', task.reason ?? '');
      }
    }
  });

  test('a second agent with the same identity is told so, and the first goes on working', async () => {
    await host('a').stop();
    const copy = join(world().folder, 'cloned disk');
    cpSync(host('a').home.root, copy, { recursive: true, verbatimSymlinks: true });
    await host('a').start();
    await pinged('a');
    const clone = new AgentProcess(id('a'), homeAt(copy));
    try {
      const before = clone.log().length;
      await clone.start();
      const words = /another agent with the identity/;
      await until('the clone to be told', () => words.test(clone.log().slice(before)));
      const { output } = (await world().call('get_task', { id: (await pinged('a')).id })) as {
        output: { boot: string };
      };
      assert.ok(host('a').log().includes(output.boot), 'not the first agent has answered');
      assert.doesNotMatch(host('a').log(), words);
    } finally {
      await clone.stop();
    }
  });

  test('a second agent on the same home is told that the home is in use', async () => {
    const { current, root } = host('b').home;
    const args = [join(current, 'agent.mjs'), 'run', '--home', root];
    const second = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(join(current, 'runtime/bin/node'), args, (error, _stdout, stderr) =>
        resolve({ code: error?.code, stderr }),
      );
    });
    assert.equal(second.code, 111, second.stderr);
    assert.match(second.stderr, /another agent of this home runs/);
    await pinged('b');
  });

  test('what cannot be read in a queue of the dispatchers is parked with its reason and sender', async () => {
    await using dispatcher = await asDispatcher(world());
    await using thief = await asHost(host('a').home);
    const about = { v: 1, task: uuidv7(), host: id('a'), seq: 1, at: Date.now() };
    const result = { kind: 'result', ...about, state: 'succeeded', running: '1.0.0' };
    const event = { kind: 'progress', ...about, state: 'accepted' };
    const call = { v: 1, fn: 'get_all_funcs', args: {} };
    const bodies = [
      ['result', result],
      ['event', event],
      ['call', call],
    ] as const;
    for (const [kind, good] of bodies) {
      const reply = kind === 'call' ? 'amq.rabbitmq.reply-to' : undefined;
      await say(thief, kind, Buffer.from('{ this is not JSON'), reply);
      await say(thief, kind, Buffer.alloc(MAX_BODY_BYTES + 1, ' '), reply);
      await say(thief, kind, encode({ ...good, v: 2 }), reply);
      if (kind !== 'call') await say(thief, kind, encode({ ...good, host: id('b') }));
    }
    // A call bears no name but its sender's; through its answer it could reach another's queue.
    await say(thief, 'call', encode(call), hostQueue(id('b')));
    await say(thief, 'call', encode(call), 'amq.rabbitmq.reply-to.nobody');
    await say(thief, 'call', encode(call));
    const dead = await takeDead(dispatcher, 13);
    assert.deepEqual([...new Set(dead.map((one) => one.sender))], [id('a')]);
    const reasons = dead.map((one) => one.reason).sort();
    const counted = [
      [/message is not JSON/, 3],
      [/message of 1048577 bytes; at most 1048576 are allowed/, 3],
      [/^v: /, 3],
      [new RegExp(`${id('a')} speaks as ${id('b')}`), 2],
      [/an answer goes to the caller alone, not to mega\.host\./, 1],
      [/a call needs reply-to and message-id/, 1],
    ] as const;
    for (const [reason, times] of counted) {
      assert.equal(
        reasons.filter((one) => reason.test(one)).length,
        times,
        `${reason}: ${reasons.join('; ')}`,
      );
    }
    await pinged('a');
  });

  test("what cannot be read in a host's own queue is parked with its reason and sender", async () => {
    await using dispatcher = await asDispatcher(world());
    const now = Date.now();
    const key = orderKeyOf(world());
    const about = { v: 1, task: uuidv7(), host: id('a'), sequence: 1, type: 'ping', args: {} };
    const good = { ...about, timeoutMs: 10_000, issued: now, expires: now + 60_000 };
    const bodies = [
      Buffer.from('{ this is not JSON'),
      Buffer.alloc(MAX_BODY_BYTES + 1, ' '),
      encode({ ...good, v: 2 }),
      encode({ ...good, host: id('b') }),
    ];
    for (const body of bodies) {
      const address = { exchange: '', key: hostQueue(id('a')), type: 'order', mandatory: true };
      const headers = { jws: await signBody(body, key) };
      await dispatcher.publish({ ...address, messageId: uuidv7(), headers, body });
    }
    const dead = await takeDead(dispatcher, 4);
    assert.deepEqual([...new Set(dead.map((one) => one.sender))], [dispatcher.user]);
    const reasons = dead.map((one) => one.reason).sort();
    for (const reason of [/is not JSON/, /bytes; at most/, /: v: /, /an order for \S+-b came to \S+-a/]) {
      assert.equal(reasons.filter((one) => reason.test(one)).length, 1, `${reason}: ${reasons.join('; ')}`);
      assert.ok(reasons.every((one) => one.startsWith(`in the queue of ${id('a')}: `)));
    }
    await pinged('a');
  });

  test('an accepted task whose host falls silent is lost, until its late result is there', async () => {
    holdInPreflight(host('c').home);
    const job = await upgrade(world(), '1.2.0', [id('c')]);
    await until('c to stand in preflight', async () => (await taskOf(job, 'c')).phase === 'preflight');
    await host('c').killAll();
    await db.run('UPDATE tasks SET timeout_ms = 1000 WHERE job_id = ?', [job]);
    const lost = (await ended(world(), job)).get(id('c'));
    assert.equal(lost?.state, 'lost');
    assert.match(lost?.reason ?? '', /^not heard of since \d{4}-/);
    assert.equal((await world().call<JobView>('get_job', { id: job })).state, 'failed');
    letGo(host('c').home);
    await host('c').start();
    await until('the late result', async () => (await taskOf(job, 'c')).state !== 'lost');
    const task = await taskOf(job, 'c');
    assert.equal(told(task), 'succeeded completed 1.2.0', task.reason ?? '');
    assert.equal(task.late, true);
    assert.equal(said(task), `accepted running preflight ${PREPARED}`);
    await until('the job to be bettered', async () => {
      return (await world().call<JobView>('get_job', { id: job })).state === 'succeeded';
    });
  });

  test('a task for a host without a queue is undeliverable, and one for a host that never comes expires', async () => {
    await using dispatcher = await asDispatcher(world());
    await world().addHost(id('never'), '1.0.0');
    await dispatcher.withChannel((channel) => channel.deleteQueue(hostQueue(id('d'))));
    const tasks = await ended(world(), await upgrade(world(), '1.1.0', [id('d'), id('never')]));
    const ends = ['d', 'never'].map((one) => [tasks.get(id(one))?.state, tasks.get(id(one))?.reason]);
    assert.deepEqual(ends, [
      ['undeliverable', 'the host has no queue'],
      ['expired', 'the host was not there in time'],
    ]);
    assert.match(host('d').log(), /the broker has no queue for \S+: register it/);
  });

  test('nothing is left in any queue after all of this, and nothing was said twice', async () => {
    await untilQueuesAreEmpty(world());
    const twice = await db.query(
      `SELECT task_id, COUNT(*) AS ends FROM task_events WHERE state NOT IN ('accepted', 'running')
       GROUP BY task_id HAVING ends > 1`,
    );
    assert.deepEqual(twice, []);
  });
});
