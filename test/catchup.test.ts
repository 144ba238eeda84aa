import assert from 'node:assert/strict';
import { readdirSync, rmSync, symlinkSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import type { TaskType } from '../src/agent/tasks/task.ts';
import { decide, type Standing } from '../src/dispatcher/catchup.ts';
import type { Behind, UpgradeJob } from '../src/dispatcher/store/catchup.ts';
import { addCheck, outcomeOf } from './support/orders.ts';
import { simulatedHosts } from './support/simulated.ts';
import { ended, type JobView, type TaskView, tasksOf, told, upgrade, useWorld } from './support/world.ts';

type Tried = TaskView & { tries: number };
type Forecast = { host: string; would: string; wave: number; from: string; bytes: number; reason: string };
type DryRun = { hosts: Forecast[]; estimate: { ms: number } | null; limits: object };

describe('what a host is to run', () => {
  const jobTo = (to: string, more: Partial<UpgradeJob> = {}, downgrade = false): UpgradeJob => {
    return { id: '01', state: 'partial', args: { to, trial: {}, downgrade }, ...more };
  };
  const host = (state: string, job: UpgradeJob, more: Partial<Behind> = {}): Behind => {
    const last = { task: 't', state: state as 'expired', job };
    return { id: 'db-01', version: '1.0.0', held: false, lookAt: new Date(), last, ...more };
  };
  const decided = (one: Behind, fleet?: UpgradeJob, standing: Standing = 'free') => {
    const decision = decide(one, fleet, () => standing);
    return typeof decision === 'string' ? decision : `${decision.job.args.to} for ${decision.instead}`;
  };

  test('is what the last upgrade says that named it, if it was away or was restored since', () => {
    for (const state of ['expired', 'undeliverable', 'succeeded', 'skipped'])
      assert.equal(decided(host(state, jobTo('1.1.0'))), '1.1.0 for t');
  });

  test('is not what went wrong on it, what is under way, or what it is ahead of', () => {
    for (const state of [
      'failed',
      'rejected',
      'timed_out',
      'lost',
      'cancelled',
      'interrupted',
      'running',
      'pending',
    ])
      assert.equal(decided(host(state, jobTo('1.1.0'))), 'nothing');
    assert.equal(decided(host('succeeded', jobTo('1.1.0'), { version: '1.1.0' })), 'nothing');
    assert.equal(decided(host('succeeded', jobTo('1.1.0'), { version: '1.2.0' })), 'nothing');
    assert.equal(decided(host('expired', jobTo('1.1.0'), { version: '1.2.0' })), 'nothing');
  });

  test('is older than what it runs only if it was away when that was asked for', () => {
    const back = jobTo('1.1.0', {}, true);
    assert.equal(decided(host('expired', back, { version: '1.2.0' })), '1.1.0 for t');
    assert.equal(decided(host('succeeded', back, { version: '1.2.0' })), 'nothing');
  });

  test('is what the last upgrade of all says, for one that no later upgrade has named', () => {
    const fleet = jobTo('1.2.0', { id: '02', state: 'running' });
    assert.equal(decided({ ...host('expired', jobTo('1.1.0')), last: null }, fleet), '1.2.0 for undefined');
    assert.equal(decided(host('failed', jobTo('1.1.0')), fleet), '1.2.0 for undefined');
    assert.equal(decided(host('expired', jobTo('1.3.0', { id: '03' })), fleet), '1.3.0 for t');
    assert.equal(decided({ ...host('expired', fleet), last: null }), 'nothing');
  });

  test('waits for the end of a pause, a hold and a quarantine, and never comes once it was cancelled or is gone', () => {
    assert.equal(decided(host('expired', jobTo('1.1.0', { state: 'paused' }))), 'later');
    assert.equal(decided(host('expired', jobTo('1.1.0'), { held: true })), 'later');
    assert.equal(decided(host('expired', jobTo('1.1.0')), undefined, 'quarantined'), 'later');
    assert.equal(decided(host('expired', jobTo('1.1.0')), undefined, 'gone'), 'nothing');
    for (const state of ['cancelled', 'cancelling'] as const)
      assert.equal(decided(host('expired', jobTo('1.1.0', { state }))), 'nothing');
  });
});

describe('a fleet of which some are away', () => {
  const opened = new AsyncDisposableStack();
  after(() => opened.disposeAsync()); // before the world goes: hooks run in the order in which they stand here
  const world = useWorld({ dispatcher: { offlineAfterMs: 2_500 } });
  const name = (id: string) => `${world().name}-${id}`;
  let [a, b]: [AgentProcess, AgentProcess] = [undefined as never, undefined as never];

  before(async () => {
    await world().publish('1.1.0');
    [a, b] = (await world().addFleet([name('a'), name('b')], '1.0.0')) as [AgentProcess, AgentProcess];
    // Knows nothing but pings, as an agent of before.
    opened.use(await simulatedHosts(world(), [name('old')], () => []));
    await world().call('add_server', { host: name('away'), passwordHash: 'x'.repeat(48) });
    opened.defer(() =>
      world()
        .management.deleteUser(name('away'))
        .then(() => undefined),
    );
  });

  const dryRun = (...more: string[]) => outcomeOf(world(), 'upgrade', '--to', '1.1.0', '--dry-run', ...more);

  test('says before an upgrade what would happen to each, and does nothing of it', async () => {
    addCheck(b, 'backup', 'echo a backup runs; exit 1');
    const { code, out } = await dryRun('--on', 'all', '--waves', '1,100%', '--json');
    const { hosts, estimate, limits } = JSON.parse(out) as DryRun;
    const found = new Map(hosts.map((one) => [one.host, one]));
    const is = (id: string) => [found.get(name(id))?.would, found.get(name(id))?.reason];
    assert.match(is('a').join(': '), /^upgrade: fetches \d+ KB$/);
    assert.deepEqual(is('b'), ['postpone', 'the check backup says not now: a backup runs']);
    assert.deepEqual(is('old'), ['unknown', 'its agent is of before dry runs, and cannot say']);
    assert.deepEqual(is('away'), ['wait', 'is away: it would be upgraded when it is back']);
    assert.deepEqual(found.get(name('a'))?.from, '1.0.0');
    assert.deepEqual(hosts.map((one) => one.wave).toSorted(), [1, 2, 2, 2]);
    assert.equal(found.get(name('away'))?.wave, 2);
    assert.deepEqual([code, estimate], [1, null]);
    assert.deepEqual((limits as { waves: unknown }).waves, [1, '100%']);
    for (const agent of [a, b]) {
      assert.deepEqual(readdirSync(agent.home.releases), ['1.0.0']);
      assert.deepEqual(readdirSync(agent.home.downloads), []);
    }
    const jobs = await world().call<{ type: string }[]>('get_all_job');
    assert.deepEqual([...new Set(jobs.map((job) => job.type))], ['check_upgrade']);
  });

  test('upgrades in its job a host that comes back after the deadline', async () => {
    await a.stop();
    await until('the host to be away', async () => {
      return !(await world().call<{ online: boolean }>('get_server', { host: a.id })).online;
    });
    const asked = { to: '1.1.0', on: [a.id], limits: { deadlineMs: 1_000, maxConcurrency: 1 } };
    const { job } = await world().call<{ job: string }>('client_upgrade', asked);
    assert.equal((await ended(world(), job)).get(a.id)?.state, 'expired');
    await a.start();
    const task = await until('the host to catch up', async () => {
      const found = (await tasksOf(world(), job)).get(a.id) as Tried | undefined;
      return found?.state === 'succeeded' ? found : undefined;
    });
    assert.deepEqual([told(task), task.tries], ['succeeded completed 1.1.0', 2]);
    await until('its job to end', async () => {
      const { state, counts } = await world().call<JobView>('get_job', { id: job });
      return state === 'succeeded' && counts.succeeded === 1 && Object.keys(counts).length === 1;
    });
  });

  test('tells from then on how long it takes, and exits with 0 where nobody refuses', async () => {
    const { code, out } = await dryRun('--on', a.id, '--on', name('old'));
    assert.match(out, new RegExp(`^HOST +WAVE +RUNS +WOULD +REASON\n${a.id} +- +1\\.1\\.0 +nothing +runs`));
    assert.match(out, /\nto 1\.1\.0: 1 need nothing, 1 cannot say; nothing was changed\n/);
    assert.match(
      out,
      /\nit takes about [\d.]+ m?s \(the one earlier upgrade took [\d.]+ m?s, in the middle\)\n$/,
    );
    assert.equal(code, 0);
  });

  test('lets hosts that come back together begin no faster than their job may', async () => {
    const rack = ['r1', 'r2', 'r3', 'r4', 'r5'].map(name);
    for (const host of rack) await world().call('add_server', { host, passwordHash: 'x'.repeat(48) });
    const asked = { to: '1.1.0', on: rack, limits: { deadlineMs: 1_000, maxConcurrency: 2 } };
    const { job } = await world().call<{ job: string }>('client_upgrade', asked);
    for (const task of (await ended(world(), job)).values()) assert.equal(task.state, 'expired');
    let [atOnce, most] = [0, 0];
    const fails: TaskType = {
      ...{ name: 'client_upgrade', lane: 'exclusive', onCrash: 'interrupted' },
      run: async () => {
        atOnce++;
        most = Math.max(most, atOnce);
        await new Promise((resolve) => setTimeout(resolve, 100));
        atOnce--;
        return { state: 'failed', reason: 'it ran' };
      },
    };
    opened.use(await simulatedHosts(world(), rack, () => [fails]));
    await until('all of them to have run', async () => {
      return [...(await tasksOf(world(), job)).values()].every((task) => task.reason === 'it ran');
    });
    assert.equal(most, 2);
  });

  test('brings a host that was restored from an older state to its version again', async () => {
    await a.stop();
    rmSync(a.home.current);
    symlinkSync('releases/1.0.0', a.home.current);
    await a.start();
    await until('the restored host to be upgraded', () => a.current === '1.1.0');
  });

  test('takes a host that joins later to the version of the last upgrade of all', async () => {
    addCheck(b, 'backup', 'exit 0');
    const job = await upgrade(world(), '1.1.0', ['all']);
    await until('the others', async () => (await tasksOf(world(), job)).get(b.id)?.state === 'succeeded');
    const [late] = await world().addFleet([name('late')], '1.0.0');
    await until('the one that joined', async () => {
      const task = (await tasksOf(world(), job)).get(name('late'));
      return told(task) === 'succeeded completed 1.1.0';
    });
    assert.equal(late?.current, '1.1.0');
  });
});
