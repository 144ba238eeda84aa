import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { hashPassword } from '../src/lib/management.ts';
import { megaHere } from './support/mega.ts';
import { ended, tasksOf, useWorld } from './support/world.ts';

type Waiting = { what: string; until: string | null; text: string } | null;

const MINUTE_MS = 60_000;
/** Hours of the clock in UTC, from and to so many minutes from now. */
const hours = (from: number, to: number) =>
  [from, to]
    .map((minutes) => new Date(Date.now() + minutes * MINUTE_MS).toISOString().slice(11, 16))
    .join('-');
const OPEN = () => hours(-60, 60);
const CLOSED = () => hours(60, 120);

describe('hosts begin within their maintenance windows', () => {
  const world = useWorld();
  let agents: AgentProcess[];

  before(async () => {
    agents = await world().addFleet(
      ['a', 'b'].map((letter) => `${world().name}-${letter}`),
      '1.0.0',
    );
  });

  const rotate = async (on: string[], limits?: object) =>
    (await world().call<{ job: string }>('rotate_secret', { on, limits })).job;
  const waiting = async (id: string) =>
    (await world().call<{ waitingFor: Waiting }>('get_job', { id })).waitingFor;
  const untilWaiting = (id: string) =>
    until('the job to wait for a window', async () => {
      const found = await waiting(id);
      return found?.what === 'window' ? found : undefined;
    });
  /** As if time had passed, which opens and closes it. */
  const set = (name: string, open: string) =>
    world().database().run('UPDATE windows SET open_at = ? WHERE name = ?', [open, name]);
  const add = (name: string, on: string[], open: string) =>
    world().call<{ hosts: number; isOpen: boolean }>('add_window', { name, on, open });
  const remove = (name: string) => world().call('del_window', { name });

  test('of a job in whose middle the window closes what has begun ends, and the rest begins when it opens', async () => {
    const [first, second] = agents.map((agent) => agent.id) as [string, string];
    const added = await add('both', [first, second], OPEN());
    assert.deepEqual([added.hosts, added.isOpen], [2, true]);
    for (const agent of agents) process.kill(agent.agentPid, 'SIGSTOP');
    const job = await rotate([first, second], { maxConcurrency: 1 });
    const begun = await until('one order to be sent', async () => {
      const tasks = [...(await tasksOf(world(), job)).values()];
      return tasks.find((task) => task.state === 'queued')?.host;
    });
    await set('both', CLOSED());
    for (const agent of agents) process.kill(agent.agentPid, 'SIGCONT');
    const wait = await untilWaiting(job);
    const tasks = await tasksOf(world(), job);
    const other = begun === first ? second : first;
    assert.deepEqual([tasks.get(begun)?.state, tasks.get(other)?.state], ['succeeded', 'pending']);
    const opensInMs = Date.parse(wait.until!) - Date.now();
    assert.ok(opensInMs > 58 * MINUTE_MS && opensInMs <= 60 * MINUTE_MS, `it opens at ${wait.until}`);
    await set('both', OPEN());
    const after = await ended(world(), job);
    assert.deepEqual(
      [...after.values()].map((task) => task.state),
      ['succeeded', 'succeeded'],
    );
    await remove('both');
  });

  test('a host whose window is closed waits, pings and other hosts do not, and a window that is removed keeps nobody', async () => {
    const [first, second] = agents.map((agent) => agent.id) as [string, string];
    await add('one', [first], CLOSED());
    const job = await rotate([first, second]);
    await until('the other host to be done', async () => {
      return (await tasksOf(world(), job)).get(second)?.state === 'succeeded';
    });
    await untilWaiting(job);
    assert.equal((await tasksOf(world(), job)).get(first)?.state, 'pending');
    const ping = await world().call<{ job: string }>('ping', { on: ['all'] });
    assert.equal((await ended(world(), ping.job)).get(first)?.state, 'succeeded');
    await remove('one');
    assert.equal((await ended(world(), job)).get(first)?.state, 'succeeded');
  });

  test('a host with several windows begins while one of them is open', async () => {
    const [first] = agents.map((agent) => agent.id) as [string];
    await add('closed', [first], CLOSED());
    await add('open', ['all'], OPEN());
    const job = await rotate([first]);
    assert.equal((await ended(world(), job)).get(first)?.state, 'succeeded');
    for (const name of ['closed', 'open']) await remove(name);
  });

  test('a job has a window of its own, too, besides those of its hosts', async () => {
    const on = agents.map((agent) => agent.id);
    const shut = await rotate(on, { window: `${CLOSED()} UTC` });
    const wait = await untilWaiting(shut);
    assert.ok(wait.until !== null);
    assert.deepEqual(
      new Set([...(await tasksOf(world(), shut)).values()].map((task) => task.state)),
      new Set(['pending']),
    );
    const job = await rotate(on, { window: `${OPEN()} UTC` });
    assert.deepEqual(
      [...(await ended(world(), job)).values()].map((task) => task.state),
      ['succeeded', 'succeeded'],
    );
    await assert.rejects(rotate(on, { window: 'at night' }), {
      code: 'bad_argument',
      message: /is no window/,
    });
    await world().call('cancel_job', { id: shut });
  });

  test('the command line shows when a window is open before it is saved, tests it, lists and removes it', async () => {
    const mega = (...args: string[]) => megaHere(world(), ...args);
    const text = ['--open', 'sat,sun 22:00-04:00', '--zone', 'Europe/Berlin'];
    const added = await mega('window', 'add', 'nights', '--on', `${world().name}-*`, ...text);
    assert.equal(added.code, 0, added.err);
    assert.match(added.out, /OPENS[\s\S]*Sat .* 22:00[\s\S]*nights is kept by 2 hosts/);
    assert.match(
      (await mega('window', 'list')).out,
      /nights +(open|closed).*sat, sun 22:00-04:00 Europe\/Berlin/,
    );
    const open = await mega('window', 'test', 'nights', '--at', '2027-03-28 03:30');
    assert.deepEqual([open.code, open.out.split('\n')[0]], [0, 'open at Sun 2027-03-28 03:30 +02:00']);
    const closed = await mega('window', 'test', ...text, '--at', '2027-03-27 12:00');
    assert.equal(closed.code, 1);
    assert.match(closed.out, /Note: Sun 2027-03-28: there is no 02:00 to 03:00/);
    const again = await mega('window', 'add', 'nights', '--on', 'all', ...text);
    assert.match(again.err, /there is a window "nights" already/);
    assert.equal((await mega('window', 'add', 'x', '--on', 'all', '--open', 'mon')).code, 2);
    assert.equal((await mega('window', 'remove', 'nights')).code, 0);
    assert.equal((await mega('window', 'remove', 'nights')).code, 2);
  });

  test('a window may be there before the first of its hosts', async () => {
    const id = `${world().name}-new`;
    assert.equal((await add('early', [`${id}*`], CLOSED())).hosts, 0);
    await world().call('add_server', { host: id, passwordHash: hashPassword(id) });
    const [window] = await world().call<{ hosts: number }[]>('get_all_window');
    assert.equal(window!.hosts, 1);
  });
});
