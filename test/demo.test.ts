import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Figures, faultsOf, figuresOf } from '../dev/demo/figures.ts';
import { versionsAfter } from '../dev/demo/play.ts';
import { until } from '../dev/world/until.ts';
import type { Task, TaskEvent } from '../src/cli/answers.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, '.mega/demo');
const WAY = ['preflight', 'downloading', 'verifying', 'staging', 'switching', 'restarting', 'watching'];

describe('the demo', () => {
  test('upgrades the fleet, shows both broken releases going back, and prints one JSON object', async () => {
    const demo = start(['--hosts', '2', '--once', '--json']);
    assert.equal(await demo.ended, 0, demo.text());
    const { fleet, hosts, broken, ...rest } = JSON.parse(demo.out()) as Figures;
    const { from, to, crashes, hangs } = versionsAfter(ownVersion());
    const ids = hosts.map((one) => one.host);
    assert.deepEqual(rest, {});
    const { seconds, ...counts } = fleet;
    assert.deepEqual(counts, { from, to, hosts: 2, succeeded: 2, failed: 0 });
    assert.ok(seconds > 0 && seconds < 60, `${seconds} s`);
    for (const { downtimeMs, phasesMs, ...told } of hosts) {
      assert.deepEqual(told, { host: told.host, from, to, state: 'succeeded', phase: 'completed' });
      assert.deepEqual(Object.keys(phasesMs), WAY);
      assert.equal(downtimeMs, phasesMs.restarting! + phasesMs.watching!);
    }
    const end = { state: 'failed', phase: 'rolled_back', running: to };
    assert.deepEqual(
      broken.map(({ reason: _, ...one }) => one),
      [
        { host: ids[0], to: crashes, ...end },
        { host: ids[1], to: hangs, ...end },
      ],
    );
    assert.match(broken[0]?.reason ?? '', /-crashes crashed at its start \(exit 3\)/);
    assert.match(broken[1]?.reason ?? '', /-hangs hung \(no sign of life/);
    assert.match(demo.err(), / completed\n/);
    assert.deepEqual(traces(demo.pid), []);
  });

  test('ends in order at Ctrl-C in mid-run: no process, no folder and nothing on the servers is left', async () => {
    const demo = start(['--hosts', '2']);
    await demo.says(/ downloading\n/);
    const [world = ''] = traces(demo.pid);
    assert.ok((await usersOf(world)).length >= 4);
    assert.ok(processesOf(world).length >= 6, 'a dispatcher, loaders and agents, and who watches over them');
    process.kill(-demo.pid, 'SIGINT'); // a terminal tells all of the foreground group
    assert.equal(await demo.ended, 130, demo.text());
    assert.deepEqual(processesOf(world), []);
    assert.deepEqual(traces(demo.pid), []);
    assert.deepEqual(await usersOf(world), []);
  });

  test('ends in order at SIGTERM while its own servers start', async () => {
    const demo = start([], {});
    const server = await until('a broker to start', () =>
      traces(demo.pid).find((name) => /^rabbitmq/.test(name) && processesOf(name).length > 0),
    );
    process.kill(demo.pid, 'SIGTERM');
    assert.equal(await demo.ended, 130, demo.text());
    assert.deepEqual(processesOf(server), []);
    assert.deepEqual(traces(demo.pid), []);
  });

  test('takes all its processes along when it is killed, and the next one clears away what it left', async () => {
    const dead = start(['--hosts', '2']);
    await dead.says(/ downloading\n/);
    const [world = ''] = traces(dead.pid);
    process.kill(dead.pid, 'SIGKILL');
    await dead.ended;
    await until('its processes to be gone', () => processesOf(world).length === 0, { pollMs: 20 });
    assert.deepEqual(traces(dead.pid), [world]);
    const next = start([]);
    await next.says(/ok a dispatcher/);
    assert.deepEqual(traces(dead.pid), []);
    assert.deepEqual(await usersOf(world), []);
    process.kill(next.pid, 'SIGHUP');
    assert.equal(await next.ended, 130, next.text());
    assert.deepEqual(traces(next.pid), []);
  });

  test('refuses what it does not understand in one line, and helps with an example', async () => {
    const wrong = [['--hots'], ['--hosts', '0'], ['--hosts', '51'], ['--hosts', 'x'], ['--hosts'], ['two']];
    for (const args of wrong) {
      const demo = start(args);
      assert.equal(await demo.ended, 2);
      assert.match(demo.err(), /^demo: .+; see --help\n$/);
      assert.equal(demo.out(), '');
    }
    const help = start(['--help']);
    assert.equal(await help.ended, 0);
    assert.match(help.out(), /Examples:\n {2}npm run demo -- --hosts/);
  });
});

describe('the figures of a demo', () => {
  test('say how long each phase lasted and how long a host was away', () => {
    const { fleet, hosts } = figuresOf('1.0.0', '1.1.0', { job, tasks: [good] }, []);
    assert.deepEqual(fleet, { from: '1.0.0', to: '1.1.0', hosts: 1, succeeded: 1, failed: 0, seconds: 2.5 });
    assert.deepEqual(hosts[0]?.phasesMs, { preflight: 30, downloading: 150, restarting: 200, watching: 50 });
    assert.equal(hosts[0]?.downtimeMs, 250);
  });

  test('know no time away of a host that did not get through', () => {
    const { fleet, hosts, broken } = figuresOf('1.0.0', '1.1.0', { job, tasks: [bad] }, [
      { job, tasks: [bad] },
    ]);
    assert.equal(fleet.failed, 1);
    assert.equal(hosts[0]?.downtimeMs, null);
    const { host, state, phase, reason, running } = bad;
    assert.deepEqual(broken, [{ host, to: '1.1.0', state, phase, reason, running }]);
  });

  test('tell all that is not as it should be', () => {
    const well = figuresOf('0.9.0', '1.0.0', { job, tasks: [good] }, [{ job, tasks: [bad] }]);
    assert.deepEqual(
      faultsOf(well, () => '1.0.0'),
      [],
    );
    assert.deepEqual(
      faultsOf(well, () => '0.9.0'),
      ['a should run 1.0.0, but runs 0.9.0'],
    );
    const ill = figuresOf('1.0.0', '1.1.0', { job, tasks: [bad] }, [{ job, tasks: [good] }]);
    assert.deepEqual(
      faultsOf(ill, () => '1.1.0'),
      [
        'b should have been upgraded from 1.0.0 to 1.1.0, but it is failed, rolled_back',
        'a should have gone back from 1.1.0 to 1.1.0, but it is succeeded, completed',
      ],
    );
  });
});

const said = (seq: number, phase: string | null, agentMs: number): TaskEvent => {
  return { seq, state: 'running', phase, reason: null, agentMs };
};
const times = { createdAt: '2026-01-01T00:00:00.000Z', finishedAt: '2026-01-01T00:00:02.540Z' };
const job = {
  id: 'j',
  type: 'upgrade',
  args: {},
  target: 'all',
  state: 'succeeded',
  createdBy: 'x',
  ...times,
};
const unheard = { queuedAt: null, acceptedAt: null, startedAt: null, heardAt: null };
const about = { id: 't', job: 'j', type: 'upgrade', args: { to: '1.1.0' }, attempts: 1, late: false };
const task = { ...about, fromVersion: '1.0.0', output: null, ...times, ...unheard };
const good: Task = {
  ...task,
  host: 'a',
  state: 'succeeded',
  phase: 'completed',
  reason: null,
  running: '1.1.0',
  events: [
    said(1, null, 1_000),
    said(2, 'preflight', 1_010),
    said(3, 'downloading', 1_040),
    said(5, 'downloading', 1_120), // out of order, and said twice
    said(4, null, 1_100),
    said(6, 'restarting', 1_190),
    said(7, 'watching', 1_390),
    said(8, 'completed', 1_440),
  ],
};
const bad: Task = {
  ...task,
  host: 'b',
  state: 'failed',
  phase: 'rolled_back',
  reason: '1.1.0 crashed',
  running: '1.0.0',
  events: [said(1, 'restarting', 1_000), said(2, 'rolled_back', 900)], // a clock that was set back
};

/** A demo in a process group of its own, on the servers of this test run or, without `servers`, on its own. */
function start(args: string[], servers: NodeJS.ProcessEnv = process.env) {
  const { MEGA_TEST_RABBITMQ: _, MEGA_TEST_MYSQL: __, ...env } = process.env;
  const { MEGA_TEST_RABBITMQ, MEGA_TEST_MYSQL } = servers;
  const own = MEGA_TEST_RABBITMQ && MEGA_TEST_MYSQL ? { MEGA_TEST_RABBITMQ, MEGA_TEST_MYSQL } : {};
  const child: ChildProcess = spawn(process.execPath, ['dev/demo.ts', ...args], {
    cwd: root,
    env: { ...env, ...own },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout?.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr?.on('data', (bytes) => {
    err += bytes;
  });
  const text = () => `${out}\n${err}`;
  return {
    pid: child.pid!,
    ended: once(child, 'close').then(([code]) => code as number | null),
    out: () => out,
    err: () => err,
    text,
    says: (pattern: RegExp) => until(`${pattern} in ${args.join(' ')}`, () => pattern.test(text())),
  };
}

/** The folders that a demo made: their names hold its process id. */
function traces(pid: number): string[] {
  return readdirSync(folder).filter((name) => name.split('-')[1] === String(pid));
}

function processesOf(name: string): number[] {
  const pids = readdirSync('/proc').filter((one) => /^\d+$/.test(one));
  const about = (pid: number) => `${readProc(pid, 'cmdline')}${readProc(pid, 'environ')}`;
  return pids.map(Number).filter((pid) => about(pid).includes(name));
}

/** A process that nobody has reaped yet names nothing. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** Users and vhost of a demo's world in the broker that the tests share; all bear the name of the world. */
async function usersOf(world: string): Promise<string[]> {
  const name = world.split('-').at(-1)!;
  const url = new URL(process.env.MEGA_TEST_RABBITMQ!);
  const login = Buffer.from(`${url.username}:${url.password}`).toString('base64');
  const answers = ['users', 'vhosts'].map(async (what) => {
    const response = await fetch(`http://${url.host}/api/${what}`, {
      headers: { authorization: `Basic ${login}` },
    });
    return (await response.json()) as { name: string }[];
  });
  const found = (await Promise.all(answers)).flat().map((one) => one.name);
  return found.filter((one) => one.includes(name));
}

function ownVersion(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version as string;
}
