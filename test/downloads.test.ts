import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import type { World } from '../dev/world/world.ts';
import { lowerRate, Pace } from '../src/agent/upgrade/pace.ts';
import { Patience } from '../src/agent/upgrade/silence.ts';
import { CHUNK_BYTES } from '../src/dispatcher/packages/receive.ts';
import { Waiting } from '../src/dispatcher/packages/waiting.ts';
import { freeSlot, holdSlot } from '../src/dispatcher/store/downloads.ts';
import type { Broker } from '../src/lib/broker.ts';
import { type Conn, conn } from '../src/lib/conn.ts';
import { codeOf } from '../src/lib/errors.ts';
import { streamQueue } from '../src/lib/topology.ts';
import { rewrite } from './support/orders.ts';
import { publishRaw } from './support/runtimes.ts';
import { dispatcherBroker, PackageStream } from './support/stream.ts';
import { ended, tasksOf, told, upgrade, useWorld } from './support/world.ts';

/** Makes a package of many chunks: random text, which does not get smaller. */
const ballast = (kilobytes: number) => `/* ${randomBytes(kilobytes << 10).toString('base64')} */`;

const LEASE_MS = 3_000;
/** So slow that a chunk takes two minutes: who reads at this rate reads until the test says otherwise. */
const CRAWL = 1024;

async function joined(world: World, name: string, bytesPerSecond = 0): Promise<AgentProcess> {
  const agent = await world.addHost(`${world.name}-${name}`, '1.0.0');
  rewrite(agent.home.config, () => ({ maxDownloadBytesPerSecond: bytesPerSecond }));
  await agent.start();
  await world.untilOnline([agent.id]);
  return agent;
}

const partOf = (agent: AgentProcess, sha256: string) => join(agent.home.downloads, sha256);
const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
const isReading = (agent: AgentProcess, { sha256, bytes }: PackageStream) =>
  existsSync(partOf(agent, sha256)) && sizeOf(partOf(agent, sha256)) < bytes.length;

async function cancel(world: World, job: string, host: string): Promise<void> {
  await world.call('cancel_task', { id: (await tasksOf(world, job)).get(host)!.id });
}

async function streamIsThere(broker: Broker, sha256: string): Promise<boolean> {
  try {
    await broker.withChannel((channel) => channel.checkQueue(streamQueue(sha256)));
    return true;
  } catch (error) {
    if (codeOf(error) === '404') return false;
    throw error;
  }
}

const indicesOf = async (stream: PackageStream) =>
  (await stream.read()).toSorted((a, b) => Number(a) - Number(b));

describe('downloads', { concurrency: true }, () => {
  describe('of a fleet, with two dispatchers and places for two hosts', { concurrency: 1 }, () => {
    const limits = { maxDownloads: 2, downloadLeaseMs: LEASE_MS, maxDownloadBytesPerSecond: 512 << 10 };
    const world = useWorld({ dispatcher: limits }, { dispatchers: 2 });
    let broker: Broker;
    let db: Conn;
    before(async () => {
      broker = await dispatcherBroker(world());
      db = world().database();
      await world().publish('1.0.0');
    });
    after(() => broker.close());
    const holders = async () => {
      const held =
        'SELECT host_id AS host FROM download_slots WHERE lease_until >= UTC_TIMESTAMP(3) AND host_id > ?';
      return (await db.query<{ host: string }>(held, [''])).map((row) => row.host).sort();
    };

    test('are never more than two at once, and all six get there, of a stream that was filled once', async () => {
      const agents = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => joined(world(), name)));
      const stream = new PackageStream(world(), broker, await world().publish('1.1.0', ballast(700)));
      const job = await upgrade(
        world(),
        '1.1.0',
        agents.map((agent) => agent.id),
      );
      const seen = new Set<number>();
      const all = ended(world(), job);
      let done = false;
      all.finally(() => (done = true)).catch(() => undefined);
      await until(
        'the job to end',
        async () => {
          seen.add(agents.filter((agent) => isReading(agent, stream)).length);
          assert.ok((await holders()).length <= 2);
          return done;
        },
        { pollMs: 20, deadlineMs: 120_000 },
      );
      for (const [id, task] of await all)
        assert.equal(told(task), 'succeeded completed 1.1.0', `${id} ${task.reason}`);
      assert.equal(Math.max(...seen), 2, `so many read at once: ${[...seen].join(' ')}`);
      assert.ok(
        agents.some((agent) => /which is as many as may at once/.test(agent.log())),
        'nobody had to wait',
      );
      assert.deepEqual(await indicesOf(stream), stream.indices);
    });

    test('give their places back: a host that loses its power, after its lease; one that is cancelled, at once', async () => {
      const [slow, dying, third] = await Promise.all([
        joined(world(), 'slow', CRAWL),
        joined(world(), 'dying', CRAWL),
        joined(world(), 'third'),
      ]);
      const stream = new PackageStream(world(), broker, await world().publish('1.2.0', ballast(400)));
      const held = await upgrade(world(), '1.2.0', [slow.id, dying.id]);
      await until('both to read', () => isReading(slow, stream) && isReading(dying, stream));
      const robbed = `UPDATE download_slots SET host_id = 'thief' WHERE host_id = ?`;
      await db.run(robbed, [slow.id]);
      await slow.untilLogged('this host may not read for now');
      await until('it to have a place again', async () => (await holders()).includes(slow.id));
      await until('both to read again', () => isReading(slow, stream) && isReading(dying, stream));
      const job = await upgrade(world(), '1.2.0', [third.id]);
      await third.untilLogged('which is as many as may at once');
      const { artifact } = await world().call<{ artifact: object | null }>('get_package', {
        sha256: stream.sha256,
      });
      assert.ok(artifact, 'an operator needs no place');
      assert.deepEqual(await holders(), [dying.id, slow.id].sort());
      const cut = performance.now();
      await dying.killAll();
      await until('the place to be given to another', async () => (await holders()).includes(third.id), {
        pollMs: 20,
      });
      assert.ok(performance.now() - cut > LEASE_MS / 3, 'its place was taken before its lease had ended');
      assert.deepEqual(await holders(), [slow.id, third.id].sort());
      assert.equal(told((await ended(world(), job)).get(third.id)), 'succeeded completed 1.2.0');
      const asked = performance.now();
      await cancel(world(), held, slow.id);
      await until('the cancelled host to be gone', async () => (await holders()).length === 0, {
        pollMs: 20,
      });
      assert.ok(performance.now() - asked < (2 / 3) * LEASE_MS, 'only its lease gave the place back');
      const task = () => tasksOf(world(), held).then((tasks) => tasks.get(slow.id)?.state);
      await until('the task to be cancelled', async () => (await task()) === 'cancelled');
      assert.deepEqual(readdirSync(slow.home.downloads), []);
    });

    test('are counted rightly when a hundred hosts ask both dispatchers in one moment', async () => {
      await using one = conn(world().databaseUrl);
      await using other = conn(world().databaseUrl);
      const hosts = Array.from({ length: 100 }, (_, i) => `many-${i}`);
      const sha256 = 'a'.repeat(64);
      const askAll = () =>
        Promise.all(
          hosts.flatMap((host) =>
            [one, other].map(async (db) =>
              (await holdSlot(db, { host, sha256, leaseMs: 800 }, 2)) ? [host] : [],
            ),
          ),
        );
      const first = new Set((await askAll()).flat());
      assert.deepEqual(await holders(), [...first].sort());
      assert.ok(first.size > 0 && first.size <= 2);
      await until('the leases to end', async () => (await holders()).length === 0);
      const second = new Set((await askAll()).flat());
      assert.ok(second.size > 0 && second.size <= 2);
      for (const host of second) {
        await freeSlot(one, host, 'b'.repeat(64)); // it holds its place for another artifact
        assert.ok((await holders()).includes(host));
        await freeSlot(one, host, sha256);
      }
      assert.deepEqual(await holders(), []);
    });
  });

  describe('of one host', { concurrency: 3 }, () => {
    const world = useWorld({ dispatcher: { downloadLeaseMs: LEASE_MS, streamKeepMs: LEASE_MS } });
    let broker: Broker;
    before(async () => {
      broker = await dispatcherBroker(world());
      await world().publish('1.0.0');
    });
    after(() => broker.close());

    test('keep to the rate that is set, the stream being kept as long as they read', async () => {
      const rate = 4 * CHUNK_BYTES;
      const agent = await joined(world(), 'paced', rate);
      const stream = new PackageStream(world(), broker, await world().publish('1.1.0', ballast(2500)));
      const job = await upgrade(world(), '1.1.0', [agent.id]);
      const part = partOf(agent, stream.sha256);
      const arrived = async (chunks: number) => {
        await until(`${chunks} chunks`, () => sizeOf(part) >= chunks * CHUNK_BYTES, { pollMs: 5 });
        return performance.now();
      };
      const began = await arrived(4);
      const last = stream.chunks - 2;
      const seconds = ((await arrived(last)) - began) / 1000;
      assert.deepEqual(await indicesOf(stream), stream.indices); // afterwards it may be gone at once
      const found = ((last - 4) * CHUNK_BYTES) / seconds;
      assert.ok(Math.abs(found - rate) < 0.2 * rate, `${Math.round(found)} bytes a second, not ${rate}`);
      assert.equal(told((await ended(world(), job)).get(agent.id)), 'succeeded completed 1.1.0');
    });

    test('leave no stream behind that nobody needs, and it is there again when somebody asks', async () => {
      const [one, other] = await Promise.all([joined(world(), 'first'), joined(world(), 'later')]);
      const stream = new PackageStream(world(), broker, await world().publish('1.2.0'));
      const job = await upgrade(world(), '1.2.0', [one.id]);
      assert.equal(told((await ended(world(), job)).get(one.id)), 'succeeded completed 1.2.0');
      await until('the stream to be gone', async () => !(await streamIsThere(broker, stream.sha256)));
      const again = await upgrade(world(), '1.2.0', [other.id]);
      assert.equal(told((await ended(world(), again)).get(other.id)), 'succeeded completed 1.2.0');
    });

    test('find no streams of packages that the database does not know', async () => {
      const stray = new PackageStream(world(), broker, await world().build('7.0.0'));
      await stray.declare();
      const half = new PackageStream(world(), broker, await world().publish('7.0.1'));
      await half.declare(); // as if its dispatcher had died before it was sealed
      await until('nobody to have asked for it lately', async () => {
        const sql =
          'SELECT 1 FROM packages WHERE sha256 = ? AND created_at < UTC_TIMESTAMP(3) - INTERVAL 3 SECOND';
        return world().database().one(sql, [half.sha256]);
      });
      await world().startDispatcher();
      for (const { sha256 } of [stray, half])
        await until('it to be swept', async () => !(await streamIsThere(broker, sha256)));
    });

    test('cannot have their package removed; afterwards it can be, with all that belongs to it', async () => {
      // Hosts of the tests before may still be caught up with, and their orders name the same runtime.
      const othersHaveEnded = () =>
        until('the orders of the tests before to end', async () => {
          const open = `SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'running') +
            (SELECT COUNT(*) FROM hosts WHERE catch_up_at IS NOT NULL) AS n`;
          return Number((await world().database().one<{ n: number }>(open))?.n) === 0;
        });
      await othersHaveEnded();
      const host = await world().addHost(`${world().name}-away`, '1.0.0');
      const runtime = await publishRuntime(world());
      const stream = new PackageStream(world(), broker, await world().publish('1.4.0'));
      await world().call('get_package', { sha256: stream.sha256 });
      const job = await upgrade(world(), '1.4.0', [host.id]);
      for (const name of ['1.4.0', runtime]) {
        const message = new RegExp(
          `${name} is on its way in job \\S+( and \\d+ more)?: wait .*\\(mega task cancel\\)`,
        );
        await assert.rejects(world().call('del_package', { name }), { code: 'package_in_use', message });
      }
      await cancel(world(), job, host.id);
      assert.match(await world().mega('package', 'remove', '1.4.0'), /^1\.4\.0 is removed \(/);
      await othersHaveEnded();
      await world().call('del_package', { name: runtime });
      assert.equal(await streamIsThere(broker, stream.sha256), false);
      const left = 'SELECT chunk FROM package_chunks WHERE sha256 = ?';
      assert.deepEqual(await world().database().query(left, [stream.sha256]), []);
      await assert.rejects(upgrade(world(), '1.4.0', [host.id]), { code: 'unknown_version' });
      await assert.rejects(world().call('del_package', { name: '1.4.0' }), { code: 'unknown_package' });
    });
  });
});

/** A package that passes for the runtime of releases, on a platform that no host here has; its name. */
async function publishRuntime(world: World): Promise<string> {
  const database = world.database();
  const row = await database.one<{ manifest: string | { runtime: string } }>(
    "SELECT manifest FROM packages WHERE name = '1.0.0'",
  );
  const found = row!.manifest;
  const { runtime } = (typeof found === 'string' ? JSON.parse(found) : found) as { runtime: string };
  const bytes = randomBytes(1000);
  const about = { format: 1, name: 'runtime', platform: 'linux-riscv64', builtAt: 'now' } as const;
  await publishRaw(world, { ...about, runtime }, bytes);
  return `${runtime}-linux-riscv64`;
}

describe('a pace', () => {
  test('keeps the rate however the bytes come, makes up for half a second, and never for more', () => {
    const pace = new Pace(1000);
    let now = 5_000;
    assert.equal(pace.pay(100, now), 100);
    assert.equal(pace.pay(100, now), 200);
    now += 200;
    for (let i = 0; i < 50; i++) now += pace.pay(100, now);
    assert.equal(now, 10_200);
    now += 400;
    assert.equal(pace.pay(400, now), 0);
    now += 60_000;
    assert.equal(pace.pay(600, now), 100);
  });

  test('of none holds nothing back, and of two limits the lower counts', () => {
    const pace = new Pace(undefined);
    assert.equal(pace.pay(1 << 30, 1), 0);
    assert.equal(pace.prefetch(4, CHUNK_BYTES), 4);
    assert.equal(new Pace(3 * CHUNK_BYTES).prefetch(4, CHUNK_BYTES), 3);
    assert.equal(new Pace(1024).prefetch(4, CHUNK_BYTES), 1);
    assert.deepEqual(
      [lowerRate(0, undefined), lowerRate(5, 0), lowerRate(undefined, 7), lowerRate(5, 7)],
      [0, 5, 7, 5],
    );
  });
});

test('a slow pace is not taken for silence, and chunks over and over that are there already are', () => {
  const pace = new Pace(1000);
  const patience = new Patience(15_000, 0);
  patience.broken(pace.pay(100_000, 0), 0);
  assert.equal(patience.leftMs(100_000), 15_000);
  patience.excuse(pace.costMs(100_000));
  assert.equal(patience.leftMs(200_000), 15_000);
  patience.excuse(new Pace(0).costMs(100_000));
  assert.equal(patience.leftMs(215_000), 0);
});

test('ten thousand hosts that wait ask about two hundred times a second, and a few ask soon', () => {
  const waiting = new Waiting();
  assert.equal(waiting.turnAway('alone', 0), 500);
  waiting.admit('alone');
  assert.equal(waiting.size, 0);
  const nextAt = Array.from({ length: 10_000 }, (_, i) => i); // they come within ten seconds
  const asked: number[] = [];
  for (let now = 0; now < 300_000; now += 250) {
    for (const [host, at] of nextAt.entries()) {
      if (at > now) continue;
      asked.push(now);
      nextAt[host] = now + waiting.turnAway(`host-${host}`, now) * (0.5 + Math.random());
    }
  }
  const rate = asked.filter((at) => at >= 180_000).length / 120;
  assert.ok(rate > 150 && rate < 230, `${rate} a second`);
  assert.equal(waiting.size, 10_000);
  waiting.turnAway('last', 1_000_000);
  assert.equal(waiting.size, 1, 'hosts that never came again still count');
});
