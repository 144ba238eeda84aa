import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { askBroker, heldMessages } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import type { World } from '../dev/world/world.ts';
import type { Host } from '../src/cli/answers.ts';
import { type Bounds, nothing, raise, sink } from '../src/dispatcher/flood.ts';
import { addJob } from '../src/dispatcher/store/jobs.ts';
import { loadAgentConfig } from '../src/lib/config.ts';
import { QUEUE } from '../src/lib/topology.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import type { Flood } from './support/flooder.ts';
import { onlyLong } from './support/long.ts';
import { ended, type JobView, useWorld } from './support/world.ts';

/** A host's login in the hands of an attacker, who floods with it until disposed of. */
class Flooder implements AsyncDisposable {
  #child: ChildProcess;
  published = 0;

  constructor(agent: AgentProcess, flood: Omit<Flood, 'url'>) {
    const { broker: url } = loadAgentConfig(agent.home);
    const child = spawn(process.execPath, [join(import.meta.dirname, 'support/flooder.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.end(JSON.stringify({ url, ...flood } satisfies Flood));
    child.stdout.on('data', (told) => {
      this.published = Number(String(told).trim().split('\n').at(-1));
    });
    this.#child = child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}

/** How long another host's ping may take, on a machine that does all of it on two cores. */
const WAIT_MS = 20_000;

const hostOf = (world: World, host: string) => world.call<Host>('get_server', { host });
const isCutOff = async (world: World, host: string) => (await hostOf(world, host)).cutOffUntil !== null;
const connectionsOf = (world: World, host: string) =>
  askBroker<unknown[]>(world, 'GET', `connections/username/${host}`);

/** Pings a host again and again until `done`; how long each took, in ms. An answer that comes late counts. */
async function pingsOf(world: World, host: string, done: () => Promise<boolean>): Promise<number[]> {
  const took: number[] = [];
  do {
    const began = performance.now();
    const { job } = await world.call<{ job: string }>('ping', { on: [host] });
    await until('the ping to be answered', async () => {
      return (await world.call<JobView>('get_job', { id: job })).counts.succeeded === 1;
    });
    took.push(Math.round(performance.now() - began));
  } while (!(await done()));
  return took;
}

async function untilDrained(world: World): Promise<void> {
  const ours: string[] = [QUEUE.results, QUEUE.events, QUEUE.api, QUEUE.logs];
  await until('the queues to be empty', async () => {
    return !(await heldMessages(world)).some(({ queue }) => ours.includes(queue));
  });
}

const result = (host: string) => ({
  ...{ v: 1, kind: 'result', task: uuidv7(), host, seq: 1, at: 1, state: 'succeeded', running: '1.0.0' },
});
const call = { v: 1, fn: 'get_all_funcs', args: {} };

describe('a host that floods', { timeout: 280_000 }, () => {
  const world = useWorld();
  let honest: AgentProcess;
  before(async () => {
    [honest] = (await world().addFleet([`${world().name}-honest`], '1.0.0')) as [AgentProcess];
  });

  const floods: [what: string, reason: RegExp, flood: (host: string) => Omit<Flood, 'url'>][] = [
    [
      'with results',
      /more than 60000 messages/,
      (host) => ({ key: `result.${host}`, body: JSON.stringify(result(host)), named: true }),
    ],
    [
      'with nonsense and without its name',
      /more than 1000 unreadable/,
      (host) => ({ key: `event.${host}`, body: '{', named: false }),
    ],
    [
      'with calls',
      /more than 1000 calls/,
      (host) => ({ key: `call.${host}`, body: JSON.stringify(call), named: true }),
    ],
    [
      'with log lines that nobody keeps',
      /more than 60000 messages/,
      (host) => ({ key: `log.${host}`, body: 'x', named: true }),
    ],
    [
      'with a few huge messages',
      /more than 134217728 bytes/,
      (host) => ({
        key: `result.${host}`,
        body: JSON.stringify(result(host)),
        padding: 1_000_000,
        named: true,
      }),
    ],
  ];
  for (const [i, [what, reason, flood]] of floods.entries()) {
    const short = i < 2 ? {} : onlyLong;
    test(`${what} is cut off by itself, and others are answered meanwhile`, short, async (t) => {
      const bad = await world().addHost(`${world().name}-bad-${i}`, '1.0.0');
      await using flooder = new Flooder(bad, flood(bad.id));
      await until('the flood to begin', () => flooder.published > 0);
      const began = performance.now();
      const during = await pingsOf(world(), honest.id, () => isCutOff(world(), bad.id));
      const cutOffMs = Math.round(performance.now() - began);
      await until(
        'its connections to be closed',
        async () => (await connectionsOf(world(), bad.id)).length === 0,
      );
      const after = await pingsOf(
        world(),
        honest.id,
        async () => performance.now() - began > cutOffMs + 3_000,
      );
      await untilDrained(world());
      t.diagnostic(
        `${flooder.published} published; seen cut off after ${cutOffMs} ms; pings took at most ${Math.max(...during)} ms, then ${Math.max(...after)} ms`,
      );
      assert.ok(Math.max(...during, ...after) < WAIT_MS);
      const about = await hostOf(world(), bad.id);
      assert.match(about.cutOffReason ?? '', reason);
      const leftMs = Date.parse(about.cutOffUntil!) - Date.now();
      assert.ok(leftMs > 500_000 && leftMs < 600_000, `${leftMs} ms`);
      assert.equal((await connectionsOf(world(), bad.id)).length, 0, 'it is back');
      assert.match(await world().mega('host', 'list'), new RegExp(`${bad.id} +cut off`));
      assert.match(
        await world().mega('host', 'show', bad.id),
        /^cut off +more than .*\nuntil +\d{4}-.* UTC$/m,
      );
      assert.equal((await hostOf(world(), honest.id)).cutOffUntil, null);
    });
  }

  test('reads in its own log why it is cut off, and is let in by an operator', async () => {
    const [agent] = (await world().addFleet([`${world().name}-told`], '1.0.0')) as [AgentProcess];
    {
      await using _ = new Flooder(agent, { key: `event.${agent.id}`, body: '{', named: true });
      await until('the host to be cut off', () => isCutOff(world(), agent.id));
      await agent.untilLogged(
        /cut off until \d{4}-.*: more than 1000 unreadable messages within 60 s; an operator lets it in/,
      );
    }
    await agent.untilLogged(/is this host cut off/);
    await untilDrained(world()); // or what is left of the flood would have it cut off anew
    assert.match(await world().mega('host', 'release', agent.id), /may connect again/);
    await until('the host to answer', async () => {
      const { job } = await world().call<{ job: string }>('ping', { on: [agent.id] });
      return (await ended(world(), job)).get(agent.id)?.state === 'succeeded';
    });
    assert.deepEqual((await hostOf(world(), agent.id)).cutOffReason, null);
    assert.match(await world().mega('host', 'release', agent.id), /is not cut off/);
  });

  test('is no host that comes back with 10,000 results after an outage', async (t) => {
    const agent = await world().addHost(`${world().name}-busy`, '1.0.0');
    await agent.start();
    await world().untilOnline([agent.id]);
    await agent.stop();
    await until('the host to count as away', async () => !(await hostOf(world(), agent.id)).online);
    const { job, ids } = await acceptedTasks(world(), agent.id, 10_000);
    agent.readJournal((journal) => {
      journal.exec('BEGIN');
      const insert = journal.prepare('INSERT INTO outbox (kind, id, body) VALUES (?, ?, ?)');
      for (const task of ids) {
        for (const seq of [2, 3]) {
          const state = { kind: 'progress', state: 'running' };
          const about = { ...result(agent.id), task, seq, at: Date.now() };
          const body = JSON.stringify(seq === 2 ? { ...about, ...state } : about);
          insert.run(seq === 2 ? 'event' : 'result', `${task}:${seq}`, body);
        }
      }
      journal.exec('COMMIT');
    });
    const began = performance.now();
    await agent.start();
    await until(
      'all results to be recorded',
      async () => {
        const { counts } = await world().call<JobView>('get_job', { id: job });
        return counts.succeeded === ids.length;
      },
      { deadlineMs: 120_000 },
    );
    t.diagnostic(`20,000 messages recorded ${Math.round(performance.now() - began)} ms after its start`);
    assert.equal(await isCutOff(world(), agent.id), false);
  });
});

/** A job of many tasks for one host, which has taken all of them. */
async function acceptedTasks(world: World, host: string, count: number) {
  const db = world.database();
  const about = { type: 'ping', args: {}, timeoutMs: 3_600_000, deadlineMs: 3_600_000 };
  const tasks = Array.from({ length: count }, () => ({
    ...{ id: uuidv7(), host, args: {}, state: 'pending' as const, reason: null, fromVersion: null },
  }));
  const job = await db.transaction((tx) =>
    addJob(tx, { ...about, id: uuidv7(), target: host, by: 'test', callKey: uuidv7(), tasks }),
  );
  const accept = `UPDATE tasks SET state = 'accepted', seq = 1, accepted_at = UTC_TIMESTAMP(3), heard_at = UTC_TIMESTAMP(3)
    WHERE job_id = ?`;
  await db.run(accept, [job]);
  return { job, ids: tasks.map((one) => one.id) };
}

describe('a host that floods two dispatchers', { timeout: 200_000 }, () => {
  const world = useWorld({ dispatcher: { floodPauseMs: 6_000, floodMessages: 5_000 } }, { dispatchers: 2 });

  test('is cut off once, let in again after the pause by itself, and cut off again when it goes on', async () => {
    const id = `${world().name}-bad`;
    const bad = await world().addHost(id, '1.0.0');
    const limit = async () => {
      const [limits] = await askBroker<{ value: Record<string, number> }[]>(
        world(),
        'GET',
        `user-limits/${id}`,
      );
      return limits?.value['max-connections'];
    };
    {
      await using _ = new Flooder(bad, {
        key: `result.${id}`,
        body: JSON.stringify(result(id)),
        named: true,
      });
      await until('the host to be cut off', () => isCutOff(world(), id));
      await until('the broker to know', async () => (await limit()) === 0);
      await until('the host to be let in', async () => !(await isCutOff(world(), id)));
      await until('the host to be cut off again', () => isCutOff(world(), id));
    }
    await until('the host to be let in for good', async () => !(await isCutOff(world(), id)), {
      deadlineMs: 60_000,
    });
    assert.equal(await limit(), 3);
    await bad.start();
    await world().untilOnline([id]);
    assert.equal(await isCutOff(world(), id), false);
  });

  test('and whom somebody lets in behind our back is thrown out again', async () => {
    const id = `${world().name}-again`;
    const bad = await world().addHost(id, '1.0.0');
    await using flooder = new Flooder(bad, {
      key: `event.${id}`,
      body: JSON.stringify(result(id)),
      named: true,
    });
    await until('the host to be cut off', () => isCutOff(world(), id));
    const later = 'UPDATE hosts SET cut_off_until = cut_off_until + INTERVAL 1 HOUR WHERE id = ?';
    await world().database().run(later, [id]);
    await until('its connections to be closed', async () => (await connectionsOf(world(), id)).length === 0);
    await untilDrained(world()); // what of the flood is still to be read would have it thrown out before it is back
    const before = flooder.published;
    await until('it to be back', async () => {
      await world().management.limitUser(id, { 'max-connections': 3 });
      return flooder.published > before + 1_000;
    });
    await until(
      'its connections to be closed again',
      async () => (await connectionsOf(world(), id)).length === 0,
    );
    await untilDrained(world());
  });
});

test('a level sinks evenly, and only what is past the bound counts', () => {
  const bounds: Bounds = { intervalMs: 1_000, messages: 10, bytes: 100, calls: 1, unread: 1 };
  const levels = nothing(0);
  for (let i = 0; i < 10; i++) assert.equal(raise(levels, 'messages', 1, bounds, 0), undefined);
  assert.equal(raise(levels, 'messages', 1, bounds, 0), 'messages');
  assert.equal(raise(levels, 'messages', 1, bounds, 100), 'messages');
  assert.equal(raise(levels, 'messages', 1, bounds, 400), undefined);
  assert.equal(raise(levels, 'bytes', 101, bounds, 400), 'bytes');
  assert.equal(sink(levels, bounds, 1_000), false);
  assert.equal(sink(levels, bounds, 3_000), true);
});
