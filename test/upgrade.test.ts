import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { AgentProcess } from '../dev/world/agent.ts';
import { CRASHES, HANGS, SILENT, UNLOADABLE } from '../dev/world/packages.ts';
import { until } from '../dev/world/until.ts';
import { ended, type JobView, QUICK_TRIAL, tasksOf, told, upgrade, useWorld } from './support/world.ts';

const PHASES = 'preflight downloading verifying staging switching restarting watching completed';

describe('a fleet', () => {
  const world = useWorld();
  const name = (id: string) => `${world().name}-${id}`;
  const agents = new Map<string, AgentProcess>();
  const fleet = ['a', 'b', 'c', 'd', 'e'];
  const ids = () => fleet.map(name);

  test('of five hosts registers, starts and is seen online', async () => {
    await world().publish('1.0.0');
    for (const agent of await world().addFleet(ids(), '1.0.0')) agents.set(agent.id, agent);
    const hosts = await world().json<{ id: string; version: string }[]>('host', 'list');
    assert.deepEqual(
      hosts.map((host) => [host.id, host.version]),
      ids().map((id) => [id, '1.0.0']),
    );
  });

  test('is upgraded as a whole, each host through every phase, and each success is proved', async () => {
    await world().publish('1.1.0');
    const job = await upgrade(world(), '1.1.0', ['all']);
    for (const [id, task] of await ended(world(), job)) {
      assert.equal(
        told(task),
        'succeeded completed 1.1.0',
        `${id}: ${task.reason}\n${agents.get(id)?.log()}`,
      );
      const phases = task.events.map((one) => one.phase).filter(Boolean);
      assert.equal(phases.join(' '), PHASES);
      assert.equal(agents.get(id)?.current, '1.1.0');
    }
    assert.equal((await world().call<JobView>('get_job', { id: job })).state, 'succeeded');
  });

  test('that runs the version already is skipped, and says so', async () => {
    const tasks = await ended(world(), await upgrade(world(), '1.1.0', ['all']));
    for (const task of tasks.values())
      assert.deepEqual([task.state, task.reason], ['skipped', 'runs 1.1.0 already']);
  });

  test('goes back by itself from releases that crash, hang, or never answer, and says why', async () => {
    const broken = { '2.0.1': CRASHES, '2.0.2': HANGS, '2.0.3': SILENT, '2.0.4': UNLOADABLE };
    for (const [version, prologue] of Object.entries(broken)) await world().publish(version, prologue);
    const trial = { starts: 2, seconds: 12, hangSeconds: 4 };
    const [a, b, c, d] = ids() as [string, string, string, string];
    const jobs = await Promise.all(
      [a, b, c, d].map((id, i) => upgrade(world(), `2.0.${i + 1}`, [id], trial)),
    );
    const found = await Promise.all(jobs.map((job) => ended(world(), job)));
    const reason = (i: number, id: string) => found[i]?.get(id)?.reason ?? '';
    assert.equal(told(found[0]?.get(a)), 'failed rolled_back 1.1.0');
    assert.match(reason(0, a), /2\.0\.1 crashed at its start \(exit 3\)/);
    assert.equal(told(found[1]?.get(b)), 'failed rolled_back 1.1.0');
    assert.match(reason(1, b), /2\.0\.2 hung \(no sign of life for \d+ ticks\)/);
    assert.equal(told(found[2]?.get(c)), 'failed rolled_back 1.1.0');
    assert.match(
      reason(2, c),
      /2\.0\.3 did not answer the dispatcher's probe within 12 s, and 1\.1\.0 gets through/,
    );
    assert.equal(told(found[3]?.get(d)), 'failed staging 1.1.0');
    assert.match(
      reason(3, d),
      /2\.0\.4 does not pass its own self-test: .*broken on purpose: cannot be loaded/,
    );
    for (const id of [a, b, c, d]) assert.equal(agents.get(id)?.current, '1.1.0');
  });

  test('refuses a version that a host had to go back from', async () => {
    const [a] = ids() as [string];
    const task = (await ended(world(), await upgrade(world(), '2.0.1', [a]))).get(a);
    assert.equal(told(task), 'rejected preflight 1.1.0');
    assert.match(task?.reason ?? '', /2\.0\.1 is on this host's skip list: 2\.0\.1 crashed/);
  });

  test('catches up a host that was away when the upgrade was ordered', async () => {
    const id = name('e');
    await agents.get(id)?.stop();
    await world().publish('1.2.0');
    const job = await upgrade(world(), '1.2.0', ['all']);
    const others = ids().filter((one) => one !== id);
    await world().json('job', 'list');
    await until('the others to be upgraded', async () => {
      const tasks = await tasksOf(world(), job);
      return others.every((one) => tasks.get(one)?.state === 'succeeded');
    });
    assert.equal((await world().call<JobView>('get_job', { id: job })).state, 'running');
    await agents.get(id)?.start();
    assert.equal(told((await ended(world(), job)).get(id)), 'succeeded completed 1.2.0');
  });

  test('lets a host ask for its own upgrade, and the host follows it to its end', async () => {
    await world().publish('1.3.0');
    const agent = agents.get(name('b'));
    const { stdout } = await promisify(execFile)(agent!.home.loader, ['upgrade', '--to', '1.3.0']);
    assert.match(stdout, /succeeded completed/);
    assert.equal(agent?.current, '1.3.0');
  });

  test('tells the host that asks for an unknown version, and changes nothing', async () => {
    const agent = agents.get(name('b'));
    const asked = promisify(execFile)(agent!.home.loader, ['upgrade', '--to', '9.9.9']);
    await assert.rejects(asked, /version 9\.9\.9 is not published/);
    assert.equal(agent?.current, '1.3.0');
  });

  test('may be taken back to the version before, like any upgrade', async () => {
    const id = name('b');
    const tasks = await ended(world(), await upgrade(world(), '1.2.0', [id], QUICK_TRIAL));
    assert.equal(told(tasks.get(id)), 'succeeded completed 1.2.0');
  });

  test('obeys the last of two orders, though it names the version that still runs', async () => {
    const id = name('b');
    await agents.get(id)?.stop();
    const first = await upgrade(world(), '1.3.0', [id]);
    const last = await upgrade(world(), '1.2.0', [id]);
    await agents.get(id)?.start();
    assert.equal(told((await ended(world(), first)).get(id)), 'succeeded completed 1.3.0');
    assert.equal(told((await ended(world(), last)).get(id)), 'succeeded completed 1.2.0');
  });

  test('has one home for each name: a second one is refused before it locks the first one out', async () => {
    const id = name('b');
    const second = ['--home', `${world().folder}/second`, '--package', await world().build('1.2.0')];
    await assert.rejects(world().mega('host', 'add', id, ...second), /is registered already/);
    const asked = await world().call<{ job: string }>('ping', { on: [id] });
    assert.equal((await ended(world(), asked.job)).get(id)?.state, 'succeeded');
  });

  test('tells a host that leaves out --to, instead of taking the newest version', async () => {
    const asked = promisify(execFile)(agents.get(name('b'))!.home.loader, ['upgrade', '1.3.0']);
    await assert.rejects(asked, { code: 2, stderr: /usage: mega_client upgrade \[--to VERSION\]/ });
  });
});
