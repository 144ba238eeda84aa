import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../dev/world/until.ts';
import { exitOf, outcomeOf } from './support/orders.ts';
import { goesBack, simulatedHosts } from './support/simulated.ts';
import { type JobView, tasksOf, upgrade, useWorld } from './support/world.ts';

type Listed = { name: string; quarantinedAt: string | null; quarantineReason: string | null };
type Paused = JobView & { pausedReason: string | null };

describe('a version from which more hosts go back than may', () => {
  const opened = new AsyncDisposableStack();
  after(() => opened.disposeAsync()); // before the world goes: hooks run in the order in which they stand here
  const world = useWorld({ dispatcher: { quarantineAfter: 2, offlineAfterMs: 3_000 } }, { dispatchers: 2 });
  const ids = Array.from({ length: 8 }, (_, i) => `h${i}`);
  const name = (id: string) => `${world().name}-${id}`;
  /** The first host that is told to upgrade is slow: its end is kept back. */
  const slow = Promise.withResolvers<void>();
  let slowOne = '';
  let job = '';
  let other = '';

  before(async () => {
    await world().publish('1.1.0');
    const type = goesBack(async (host) => {
      slowOne ||= host;
      if (host === slowOne) await slow.promise;
    });
    opened.use(await simulatedHosts(world(), ids.map(name), () => [type]));
    await world().call('add_server', { host: name('away'), passwordHash: 'x'.repeat(48) });
    opened.defer(() =>
      world()
        .management.deleteUser(name('away'))
        .then(() => undefined),
    );
  });

  const packageOf = async (version: string) =>
    (await world().call<Listed[]>('get_all_package')).find((one) => one.name === version)!;
  const quarantined = (version: string): Promise<Listed> =>
    until(`${version} to be in quarantine`, async () => {
      const found = await packageOf(version);
      return found.quarantinedAt === null ? undefined : found;
    });
  const jobNow = (id: string) => world().call<Paused>('get_job', { id });
  const touched = async (id: string) =>
    [...(await tasksOf(world(), id)).values()].filter((task) => task.state !== 'pending');

  test('is stopped for the whole fleet: its jobs pause, and no other host is touched', async () => {
    other = await upgrade(world(), '1.1.0', [name('away')]);
    const limits = { maxConcurrency: 2 };
    const on = ids.map(name);
    job = (await world().call<{ job: string }>('client_upgrade', { to: '1.1.0', on, limits })).job;
    const found = await quarantined('1.1.0');
    assert.match(
      found.quarantineReason!,
      /^it was rolled back on 3 hosts \(\S+, \S+, \S+\); the last: 1\.1\.0 crashed at its start$/,
    );
    for (const one of [job, other]) {
      const { state, pausedReason } = await jobNow(one);
      assert.deepEqual(
        [state, pausedReason],
        ['paused', `1.1.0 is in quarantine: ${found.quarantineReason}`],
      );
    }
    const ends = await touched(job);
    assert.ok(ends.length === 4, `three went back and one is at it: ${ends.map((one) => one.host)}`);
  });

  test('stays so when another result of it comes late, which is recorded', async () => {
    const { quarantineReason } = await packageOf('1.1.0');
    slow.resolve();
    await until('the late result', async () => {
      const { state, phase } = (await tasksOf(world(), job)).get(slowOne)!;
      return `${state} ${phase}` === 'failed rolled_back';
    });
    assert.equal((await packageOf('1.1.0')).quarantineReason, quarantineReason);
    assert.equal((await touched(job)).length, 4);
  });

  test('is refused to whoever orders it or lets its jobs go on, with the reason and the remedy', async () => {
    const { code, err } = await exitOf(world(), 'upgrade', '--to', '1.1.0', '--on', name('h7'));
    assert.equal(code, 2);
    assert.match(
      err,
      /1\.1\.0 is in quarantine since .* UTC: it was rolled back on 3 hosts .* mega package release 1\.1\.0\n$/,
    );
    await assert.rejects(world().call('resume_job', { id: job }), { code: 'quarantined' });
    await assert.rejects(world().call('retry_job', { id: job, failed: true }), { code: 'quarantined' });
    const dry = await exitOf(world(), 'upgrade', '--to', '1.1.0', '--on', name('h7'), '--dry-run');
    assert.equal(dry.code, 2);
    const { out } = await outcomeOf(world(), 'package', 'list');
    assert.match(out, /^1\.1\.0 +release +quarantined/m);
    assert.match(out, /^1\.1\.0 was quarantined .*; it ends with: mega package release 1\.1\.0$/m);
  });

  test('leaves no dispatcher, whatever its job says', async () => {
    const db = world().database();
    await db.run(`UPDATE jobs SET state = 'running', limits = NULL WHERE id = ?`, [job]);
    await db.run(`UPDATE tasks SET ready = 1 WHERE job_id = ? AND state = 'pending'`, [job]);
    // An order that is made later, and sent: the one before was passed over.
    const asked = await world().call<{ job: string }>('ping', { on: ids.map(name) });
    await until('the pings', async () => (await jobNow(asked.job)).state === 'succeeded');
    assert.equal((await touched(job)).length, 4);
    await db.run(`UPDATE jobs SET state = 'paused', limits = '{"deadlineMs": 60000}' WHERE id = ?`, [job]);
    await db.run(`UPDATE tasks SET ready = 0 WHERE job_id = ? AND state = 'pending'`, [job]);
  });

  test('is let go by its release, after which the counting begins anew', async () => {
    const { out } = await outcomeOf(world(), 'package', 'release', '1.1.0');
    assert.equal(
      out,
      `1.1.0 is released: it may be ordered again\n${[other, job]
        .map((id) => `job ${id} stays paused until: mega job resume ${id}\n`)
        .join('')}`,
    );
    assert.equal((await packageOf('1.1.0')).quarantinedAt, null);
    const next = (
      await world().call<{ job: string }>('client_upgrade', {
        to: '1.1.0',
        on: ids.slice(4).map(name),
        limits: { maxConcurrency: 1 },
      })
    ).job;
    await quarantined('1.1.0');
    assert.equal((await jobNow(next)).state, 'paused');
    const [order] = await touched(next);
    assert.equal(typeof order?.args.released, 'number', 'hosts are told that they may take it again');
    assert.equal((await touched(next)).length, 3);
    const again = await outcomeOf(world(), 'package', 'release', '1.1.0');
    assert.equal(again.code, 0);
  });

  test('may be stopped by hand, in the words of who does it', async () => {
    const words = ['package', 'quarantine', '1.1.0', '--reason', 'loses its connections'];
    const { out } = await outcomeOf(world(), ...words);
    assert.match(out, /^1\.1\.0 is in quarantine: by op_\S+: loses its connections\n$/);
    const again = await world().json<{ reason: string }>('package', 'quarantine', '1.1.0', '--reason', 'no');
    assert.match(again.reason, /loses its connections$/);
    const unknown = await exitOf(world(), 'package', 'quarantine', '9.9.9', '--reason', 'no');
    assert.deepEqual(unknown, { code: 2, err: 'mega: no release 9.9.9; mega package list shows all\n' });
    await world().call('release_package', { name: '1.1.0' });
    const calls = await world().json<{ fn: string; outcome: string }[]>('audit', 'list', '--limit', '20');
    assert.ok(calls.some((call) => call.fn === 'release_package' && call.outcome === 'ok'));
  });

  test('is stopped though the dispatcher died that had recorded the results', async () => {
    const rows = ['x', 'y', 'z'].map((host) => ['1.1.0', host, null, new Date()]);
    await world().database().run('INSERT INTO rollbacks (version, host_id, reason, at) VALUES ?', [rows]);
    const found = await quarantined('1.1.0');
    assert.equal(found.quarantineReason, 'it was rolled back on 3 hosts (x, y, z)');
  });
});
