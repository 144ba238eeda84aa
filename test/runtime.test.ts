import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import Postgrator from 'postgrator';
import { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { readPackage } from '../src/cli/package/read.ts';
import { buildRuntime } from '../src/cli/package/runtime.ts';
import { openStore } from '../src/dispatcher/store/open.ts';
import { getPackage } from '../src/dispatcher/store/packages.ts';
import { conn } from '../src/lib/conn.ts';
import { homeAt } from '../src/lib/home.ts';
import { run, scratch } from './support/cli.ts';
import { onlyLong } from './support/long.ts';
import { cannotMount, remounted } from './support/mounts.ts';
import { addCheck, exitOf, falseOrder } from './support/orders.ts';
import {
  fakeNode,
  fakeThatRuns,
  here,
  names,
  PINNED,
  publishRaw,
  runtimeOf,
  runtimePackage,
} from './support/runtimes.ts';
import { zipped } from './support/tarball.ts';
import { ended, type TaskView, told, upgrade, useWorld } from './support/world.ts';

const pinned = `${PINNED}-${here}`;

describe('the runtime of a fleet', { concurrency: 2 }, () => {
  const world = useWorld();
  const at = (name: string) => join(world().folder, name);
  const fake = (version: string) => `node-${version}-${here}`;

  /** The release of this checkout on another runtime, published. */
  async function publishOn(version: string, runtime: string): Promise<string> {
    const out = ['--out', at('dist')];
    const file = await world().mega('package', 'build', '--version', version, '--runtime', runtime, ...out);
    await world().mega('package', 'publish', file.trim());
    return file.trim();
  }

  async function buildFake(version: string, toRun?: string): Promise<string> {
    const node = fakeNode(world().folder, version, toRun);
    return (await world().mega('package', 'build-runtime', '--node', node, '--out', at('dist'))).trim();
  }

  let real: Promise<string> | undefined;
  function buildReal(): Promise<string> {
    real ??= world()
      .mega('package', 'build-runtime', '--out', at('dist'))
      .then((path) => path.trim());
    return real;
  }

  async function publishFake(version: string, toRun?: string): Promise<string> {
    const file = await buildFake(version, toRun);
    await world().mega('package', 'publish', file);
    return file;
  }

  async function joined(name: string, fault?: [point: string, who: 'agent' | 'both']): Promise<AgentProcess> {
    const agent = await world().addHost(`${world().name}-${name}`, '1.0.0');
    if (fault) agent.setFault(...fault);
    void agent.supervise();
    await world().untilOnline([agent.id]);
    return agent;
  }

  async function upgraded(agent: AgentProcess, to: string): Promise<TaskView> {
    const task = (await ended(world(), await upgrade(world(), to, [agent.id]))).get(agent.id);
    assert.ok(task);
    return task;
  }

  function assertRuns(agent: AgentProcess, task: TaskView, version: string, runtime: string): void {
    assert.equal(told(task), `succeeded completed ${version}`, `${task.reason}\n${agent.log()}`);
    assert.equal(agent.current, version);
    assert.equal(runtimeOf(agent), runtime);
    assert.deepEqual(names(agent.home.downloads), []);
  }

  /** It ended so, for this reason, the release before runs on its runtime, and nothing is left of the attempt. */
  function assertUnharmed(
    agent: AgentProcess,
    task: TaskView | undefined,
    end: string,
    reason: RegExp,
  ): void {
    assert.equal(told(task), `${end} 1.0.0`, `${task?.reason}\n${agent.log()}`);
    assert.match(task?.reason ?? '', reason);
    assert.equal(agent.current, '1.0.0');
    assert.deepEqual(names(agent.home.releases), ['1.0.0']);
    assert.deepEqual(names(agent.home.runtimes), [pinned]);
    assert.deepEqual(names(agent.home.downloads), []);
  }

  before(async () => {
    await world().publish('1.0.0');
    await publishFake('24.99.0');
    await publishOn('1.1.0', 'node-24.99.0');
  });

  describe('is upgraded', () => {
    test('alone, the code unchanged, and back; the one before stays as long as there is a way back to it', async () => {
      const agent = await joined('alone');
      assert.equal(fakeThatRuns(agent), undefined);
      assertRuns(agent, await upgraded(agent, '1.1.0'), '1.1.0', fake('24.99.0'));
      assert.equal(fakeThatRuns(agent), '24.99.0');
      const code = (version: string) => readFileSync(join(agent.home.release(version), 'agent.mjs'));
      assert.deepEqual(code('1.1.0'), code('1.0.0'));
      assert.deepEqual(names(agent.home.runtimes), [pinned, fake('24.99.0')]);

      // The runtime that it goes back to was never published: it is there.
      assertRuns(agent, await upgraded(agent, '1.0.0'), '1.0.0', pinned);
      assert.equal(fakeThatRuns(agent), undefined);
      assert.deepEqual(names(agent.home.runtimes), [pinned, fake('24.99.0')]);

      await world().publish('1.0.1');
      assertRuns(agent, await upgraded(agent, '1.0.1'), '1.0.1', pinned);
      assert.deepEqual(names(agent.home.releases), ['1.0.0', '1.0.1']);
      assert.deepEqual(names(agent.home.runtimes), [pinned], 'no release names the other one any more');
    });

    test('by fetching it only where it is missing, and what was fetched survives a kill', async () => {
      await publishOn('1.1.1', 'node-24.99.0');
      const { version, sha256 } = await published('1.1.0');
      const runtime = await published(fake('24.99.0'));
      assert.deepEqual([version, runtime.version], ['1.1.0', undefined]);
      const agent = await world().addHost(`${world().name}-fetch`, '1.0.0');
      await agent.start();
      await world().untilOnline([agent.id]);

      const first = await killedWith(agent, '1.1.0', 'downloading:exit');
      const both = [sha256, runtime.sha256].flatMap((sha) => [sha, `${sha}.have`]);
      assert.deepEqual(names(agent.home.downloads), both.sort());
      await agent.start();
      assertRuns(agent, await endOf(agent, first), '1.1.0', fake('24.99.0'));

      const second = await killedWith(agent, '1.1.1', 'downloading:exit');
      const { sha256: small } = await published('1.1.1');
      assert.deepEqual(names(agent.home.downloads), [small, `${small}.have`]);
      await agent.start();
      assertRuns(agent, await endOf(agent, second), '1.1.1', fake('24.99.0'));
    });

    for (const point of ['staging:entry', 'staging:exit']) {
      for (const victim of ['agent', 'both'] as const) {
        const whom = victim === 'both' ? 'loader and agent are' : 'the agent is';
        const short = victim === 'both' ? {} : onlyLong;
        test(`though ${whom} killed at ${point}, and nothing is left over`, short, async () => {
          const agent = await joined(`${point.replace(':', '-')}-${victim}`, [point, victim]);
          assertRuns(agent, await upgraded(agent, '1.1.0'), '1.1.0', fake('24.99.0'));
          assert.equal(agent.faultIsPending(), false, 'the fault point was never reached');
          assert.deepEqual(names(agent.home.runtimes), [pinned, fake('24.99.0')]);
        });
      }
    }

    test(
      'to the real one, stripped and packed, though the agent is killed while it is unpacked',
      onlyLong,
      async (t) => {
        const agent = await addedOn(t, 'real', await fileOf('1.1.0'), await buildFake('24.99.0'));
        const file = await buildReal();
        const started = performance.now();
        await world().mega('package', 'publish', file);
        t.diagnostic(
          `${statSync(file).size} bytes published in ${Math.round(performance.now() - started)} ms`,
        );
        void agent.supervise();
        await world().untilOnline([agent.id]);
        assert.deepEqual(names(agent.home.runtimes), [fake('24.99.0')]);

        const job = await upgrade(world(), '1.0.0', [agent.id]);
        const beside = join(agent.home.runtimes, `.staging-${pinned}`, 'bin', 'node');
        await until('the runtime to be unpacked', () => existsSync(beside), { pollMs: 1 });
        process.kill(agent.agentPid, 'SIGKILL');
        assertRuns(agent, await endOf(agent, job), '1.0.0', pinned);
        assert.match(agent.log(), /ended: signal KILL/);
        assert.deepEqual(names(agent.home.runtimes), [pinned, fake('24.99.0')]);
        const node = join(agent.home.runtime(pinned), 'bin', 'node');
        assert.equal(statSync(node).mode & 0o777, 0o555);
        assert.equal(statSync(`/proc/${agent.agentPid}/exe`).ino, statSync(node).ino);
        const { manifest } = JSON.parse(JSON.stringify(await readPackage(file))) as { manifest: object };
        assert.deepEqual(
          JSON.parse(readFileSync(join(agent.home.runtime(pinned), 'manifest.json'), 'utf8')),
          manifest,
        );
      },
    );
  });

  describe('is refused, and nothing is done,', () => {
    test('where it is neither on the host nor published: with the remedy', async () => {
      const agent = await joined('nowhere');
      await publishOn('1.2.0', 'node-24.98.0');
      const remedy =
        /node-24\.98\.0-\S+ is neither on this host nor published: `mega package build-runtime` and `mega package publish`/;
      assertUnharmed(agent, await upgraded(agent, '1.2.0'), 'rejected preflight', remedy);
      await publishFake('24.98.0');
      assertRuns(agent, await upgraded(agent, '1.2.0'), '1.2.0', fake('24.98.0'));
    });

    test('when the package is damaged, or is another runtime than its name says', async () => {
      const agent = await joined('badly-served');
      const about = { format: 1, name: 'runtime', platform: here, builtAt: '' } as const;
      const program = '#!/bin/sh\n';
      const good = runtimePackage('node-24.90.0', program);
      const foreign = runtimePackage('node-24.90.3', program, { platform: 'linux-riscv64' });
      const noProgram = runtimePackage('node-24.90.4', program, {}, 0o644);
      const release = zipped([{ path: 'manifest.json', body: '{"name":"x"}' }]);
      const bad: [runtime: string, bytes: Buffer, reason: RegExp][] = [
        ['node-24.90.1', good.subarray(0, good.length - 40), /the package cannot be unpacked/],
        ['node-24.90.2', good, /the package holds node-24\.90\.0, not node-24\.90\.2/],
        ['node-24.90.3', foreign, /the runtime is for linux-riscv64; this host is/],
        ['node-24.90.4', noProgram, /bin\/node of the runtime is no program/],
        ['node-24.90.5', release, /runtime/],
      ];
      for (const [i, [runtime, bytes, reason]] of bad.entries()) {
        await publishRaw(world(), { ...about, runtime }, bytes);
        await publishOn(`1.9.${i}`, runtime);
        assertUnharmed(agent, await upgraded(agent, `1.9.${i}`), 'failed staging', reason);
      }
      assertRuns(agent, await upgraded(agent, '1.1.0'), '1.1.0', fake('24.99.0'));
    });

    test('when the order names another runtime than the one that was signed', async () => {
      const agent = await joined('lied-to');
      const about = { format: 1, name: 'runtime', platform: here, builtAt: '' } as const;
      const runtime = 'node-24.90.7';
      const other = await publishRaw(world(), { ...about, runtime }, runtimePackage(runtime, '#!/bin/sh\n'));
      const unsigned = /node-24\.99\.0-\S+ that the order names is not among the signed/;
      const lies: [lie: object, reason: RegExp][] = [
        [other, unsigned],
        [{ ...other, sha256: '0'.repeat(64) }, unsigned],
        [{ ...other, size: 7 }, unsigned],
        [{ ...other, size: 2 ** 40 }, /free, 4\.0 TB are needed: free some/],
      ];
      await agent.retire();
      const idle = async () =>
        (await world().json<{ id: string; online: boolean }[]>('host', 'list')).find(
          (one) => one.id === agent.id,
        )?.online === false;
      await until('the host to count as away', idle);
      const jobs: string[] = [];
      for (const [lie] of lies) {
        jobs.push(await falseOrder(world(), '1.1.0', agent.id, { runtimes: { [here]: lie } }));
      }
      const again = new AgentProcess(agent.id, agent.home);
      try {
        await again.start();
        for (const [i, [, reason]] of lies.entries()) {
          const task = await endOf(again, jobs[i]!);
          assert.equal(told(task), 'rejected preflight 1.0.0', `${task.reason}\n${again.log()}`);
          assert.match(task.reason ?? '', reason);
        }
        assert.deepEqual(names(again.home.runtimes), [pinned]);
        assert.deepEqual(names(again.home.downloads), []);
        assertRuns(again, await upgraded(again, '1.1.0'), '1.1.0', fake('24.99.0'));
      } finally {
        await again.retire();
      }
    });

    test('on a mount that is noexec, before it is fetched', { skip: cannotMount() }, async () => {
      const agent = await joined('noexec');
      {
        using _ = remounted(agent.home.runtimes, 'noexec');
        const reason = /24\.99\.0-\S+bin\/node may not be executed: is \S+runtimes mounted noexec\?/;
        assertUnharmed(agent, await upgraded(agent, '1.1.0'), 'rejected preflight', reason);
      }
      assertRuns(agent, await upgraded(agent, '1.1.0'), '1.1.0', fake('24.99.0'));
    });
  });

  describe('that does not start', () => {
    /** A program that needs a loader which no machine has. */
    function ofAnotherLibc(): Buffer {
      const program = readFileSync('/bin/sh');
      const [loader] = /\/lib\d*\/ld-[\w.-]+/.exec(program.toString('latin1')) ?? [];
      assert.ok(loader, '/bin/sh of this machine names no loader');
      const nowhere = loader.replace('/ld-', '/no-');
      return Buffer.from(program.toString('latin1').replace(loader, nowhere), 'latin1');
    }
    const broken: [what: string, node: () => Buffer, reason: RegExp][] = [
      [
        'for it is cut off',
        () => readFileSync(process.execPath).subarray(0, 1 << 20),
        /its own self-test: \S+/,
      ],
      [
        'for it wants another libc',
        ofAnotherLibc,
        /the loader \(libc\) that \S+ asks for is not on this host/,
      ],
      ['for it is no program at all', () => Buffer.from('\x7fELF'), /its own self-test: \S+/],
    ];
    for (const [i, [what, node, reason]] of broken.entries()) {
      test(`${what}, is never switched to, and goes`, i === 1 ? {} : onlyLong, async (t) => {
        const agent = await joined(`broken-${i}`);
        const runtime = `node-24.80.${i}`;
        const file = at(`${runtime}.tar.gz`);
        writeFileSync(file, runtimePackage(runtime, node()));
        await world().mega('package', 'publish', file);
        await publishOn(`2.0.${i}`, runtime);
        const task = await upgraded(agent, `2.0.${i}`);
        t.diagnostic(task.reason ?? '');
        assertUnharmed(agent, task, 'failed staging', /does not pass its own self-test: /);
        assert.match(task.reason ?? '', reason);
      });
    }

    test('for its mount has become noexec, is never switched to', { skip: cannotMount() }, async () => {
      const agent = await joined('late-noexec');
      const folder = agent.home.runtimes;
      addCheck(agent, 'mount', `mount --bind ${folder} ${folder} && mount -o remount,bind,noexec ${folder}`);
      const task = await upgraded(agent, '1.1.0');
      execFileSync('umount', ['--lazy', folder]);
      assertUnharmed(agent, task, 'failed staging', /self-test: its runtime may not be executed \(EACCES\)/);
    });

    test('but passed its self-test, is gone back from: its version is skipped, and it goes', async () => {
      const agent = await joined('late');
      await publishFake('24.97.0', 'exit 127');
      await publishOn('2.1.0', 'node-24.97.0');
      const reason = /2\.1\.0 crashed at its start \(exit 127\)/;
      assertUnharmed(agent, await upgraded(agent, '2.1.0'), 'failed rolled_back', reason);
      const again = await upgraded(agent, '2.1.0');
      assertUnharmed(agent, again, 'rejected preflight', /2\.1\.0 is on this host's skip list/);
    });
  });

  describe('of a home', () => {
    test('comes from a package, or is that of the project; what else is asked for', async () => {
      const file = await fileOf('1.1.0');
      const home = at('hosts/nobody');
      const add = (...more: string[]) =>
        exitOf(world(), 'host', 'add', `${world().name}-nobody`, '--home', home, '--package', file, ...more);
      const without = await add();
      assert.equal(without.code, 2);
      assert.match(
        without.err,
        /runs on node-24\.99\.0, .*give --runtime, a file that mega package build-runtime makes/,
      );
      const release = await add('--runtime', file);
      assert.match(release.err, /is a release, not a runtime; mega package build-runtime makes one/);
      const wrong = await add('--runtime', await buildFake('24.96.0'));
      assert.match(wrong.err, /holds node-24\.96\.0-\S+, and the release runs here on node-24\.99\.0/);
      const asRelease = await exitOf(
        world(),
        'host',
        'add',
        'x',
        '--home',
        home,
        '--package',
        await buildFake('24.96.0'),
      );
      assert.match(asRelease.err, /is a runtime, not a release; mega package build makes one/);
      assert.equal(existsSync(home), false, 'something was done before the input was checked');
    });

    test('goes with it by tar to a machine that has nothing but busybox', async (t) => {
      const busybox = execFileSync('sh', ['-c', 'command -v busybox || :'], { encoding: 'utf8' }).trim();
      if (busybox === '') return t.skip('there is no busybox here');
      const bare = at('bare-bin');
      mkdirSync(bare);
      for (const name of execFileSync(busybox, ['--list'], { encoding: 'utf8' })
        .split('\n')
        .filter(Boolean)) {
        symlinkSync(busybox, join(bare, name));
      }
      const runtime = await buildReal();
      const made = await addedOn(t, 'moved', await world().build('1.0.0'), runtime);
      const place = at('elsewhere/of the host');
      mkdirSync(place, { recursive: true });
      const carry = `tar -C '${made.home.root}' -c -f - . | tar -C '${place}' -x -f -`;
      execFileSync(join(bare, 'sh'), ['-c', carry], { env: { PATH: bare } });
      rmSync(made.home.root, { recursive: true });
      const agent = new AgentProcess(made.id, homeAt(place), [join(bare, 'sh')], { PATH: bare });
      t.after(() => agent.retire());
      await agent.start();
      await world().untilOnline([agent.id]);
      const { job } = await world().call<{ job: string }>('ping', { on: [agent.id] });
      assert.equal(told(await endOf(agent, job)), 'succeeded  1.0.0');
      const exe = statSync(`/proc/${agent.agentPid}/exe`).ino;
      assert.equal(exe, statSync(join(agent.home.runtime(pinned), 'bin', 'node')).ino);
      await agent.stop();
    });
  });

  test('is listed beside the releases, and none of them is taken for a version', async () => {
    const list = await world().mega('package', 'list');
    assert.match(list, /^NAME +KIND +STATE +SIGNED +SIZE +SHA256 +PUBLISHED +BY\n/);
    assert.match(list, /^1\.1\.0 +release +ready /m);
    assert.match(list, new RegExp(`^node-24\\.99\\.0-${here} +runtime +ready `, 'm'));
    const { code, err } = await exitOf(world(), 'upgrade', '--to', fake('24.99.0'), '--on', 'all');
    assert.equal(code, 2, err);
  });

  test('is told how to be used when it is published, and is published once', async () => {
    const file = await buildFake('24.95.0');
    const next = 'Next: mega package build --version <new> --runtime node-24.95.0\n';
    const first = await world().mega('package', 'publish', file);
    assert.match(first, /^node-24\.95\.0-\S+ is published \(\d+ B\)\n/);
    assert.ok(first.endsWith(next), first);
    assert.match(await world().mega('package', 'publish', file), /is published already\n/);
    const changed = at('changed.tar.gz');
    writeFileSync(changed, runtimePackage('node-24.95.0', '#!/bin/sh\n# changed\n'));
    const { code, err } = await exitOf(world(), 'package', 'publish', changed);
    assert.equal(code, 2);
    assert.match(err, /runtime node-24\.95\.0-\S+ with sha256 \w+ is published already/);
  });

  type Listed = { name: string; version?: string; sha256: string };
  async function published(name: string): Promise<Listed> {
    const found = (await world().json<Listed[]>('package', 'list')).find((one) => one.name === name);
    assert.ok(found);
    return found;
  }

  async function endOf(agent: AgentProcess, job: string): Promise<TaskView> {
    const task = (await ended(world(), job)).get(agent.id);
    assert.ok(task);
    return task;
  }

  /** Orders an upgrade whose agent and loader die at this point; its job. */
  async function killedWith(agent: AgentProcess, to: string, point: string): Promise<string> {
    agent.setFault(point, 'both');
    const job = await upgrade(world(), to, [agent.id]);
    await until('loader and agent to be killed', () => !agent.faultIsPending() && !agent.running);
    return job;
  }

  const fileOf = async (version: string) => join(at('dist'), `mega-${version}.tar.gz`);

  /** A host made by the command line, with a runtime of its own. */
  async function addedOn(t: TestContext, name: string, file: string, runtime: string): Promise<AgentProcess> {
    const id = `${world().name}-${name}`;
    const home = at(join('hosts', id));
    const quick = ['--heartbeat-ms', '1000', '--reconnect-ms', '500', '--arbitration-ms', '3000'];
    await world().mega('host', 'add', id, '--home', home, '--package', file, '--runtime', runtime, ...quick);
    const agent = new AgentProcess(id, homeAt(home));
    t.after(() => agent.retire());
    return agent;
  }
});

describe('mega package build-runtime', () => {
  const silent = { write: () => true };

  test('packs the same program to the same bytes, whenever and under whatever umask', async () => {
    using folder = scratch();
    const node = fakeNode(folder.path, '24.99.0');
    writeFileSync(join(folder.path, 'LICENSE'), 'as you like\n');
    const first = await buildRuntime({ node, out: join(folder.path, 'a') }, silent);
    assert.equal(basename(first), `node-24.99.0-${here}.tar.gz`);
    const before = process.umask(0o077);
    try {
      const second = await buildRuntime({ node, out: join(folder.path, 'b') }, silent);
      assert.deepEqual(readFileSync(second), readFileSync(first));
    } finally {
      process.umask(before);
    }
    const listing = execFileSync('tar', ['tvzf', first], { encoding: 'utf8' });
    assert.match(
      listing,
      /-rw-r--r-- \S+ .* LICENSE\n-rwxr-xr-x \S+ .* bin\/node\n-rw-r--r-- \S+ .* manifest\.json\n/,
    );
  });

  test('says what it could not strip, and what it cannot use', async () => {
    using folder = scratch();
    const node = fakeNode(folder.path, '24.99.0');
    const built = await run(['package', 'build-runtime', '--node', node, '--out', folder.path]);
    assert.deepEqual([built.code, built.out], [0, `${join(folder.path, `node-24.99.0-${here}`)}.tar.gz\n`]);
    assert.match(
      built.err,
      /^mega: \S.*node-24\.99\.0 is packed as it is \(\d+ B\): no strip of this machine can read it\n$/,
    );
    const refused = async (args: string[], reason: RegExp) => {
      const { code, err } = await run([
        'package',
        'build-runtime',
        '--out',
        join(folder.path, 'none'),
        ...args,
      ]);
      assert.equal(code, 2, err);
      assert.match(err, reason);
    };
    await refused(
      ['--platform', 'linux-riscv64'],
      /npm has not brought node-linux-riscv64 .*build the runtime on one, or unpack/,
    );
    await refused(['--platform', '../x'], /"\.\.\/x" is no platform such as linux-x64/);
    await refused(['--node', join(folder.path, 'absent')], /there is no program \S+/);
    await refused(['--node', join(folder.path, 'LICENSE')], /there is no program \S+/);
    await refused(['--node', '/bin/echo'], /--version says ".+", not such as v24\.21\.0/);
    await refused(['--node', node, '--platform', 'linux-riscv64'], /must be for linux-(x64|arm64)/);
    assert.equal(existsSync(join(folder.path, 'none')), false);
    const { code, err } = await run(['package', 'build', '--version', '1.0.0', '--runtime', 'node-24']);
    assert.deepEqual([code, err], [2, `mega: "node-24" is no runtime such as ${PINNED}\n`]);
  });
});

describe('a file that is neither a release nor a runtime', () => {
  test('is refused with the reason before anything is sent', async () => {
    using folder = scratch();
    const file = join(folder.path, 'x.tar.gz');
    const refused = async (message: RegExp, bytes: Buffer) => {
      writeFileSync(file, bytes);
      await assert.rejects(readPackage(file), { message });
    };
    const about = (text: string) => zipped([{ path: 'manifest.json', body: text }]);
    await refused(
      /neither the manifest of a release nor of a runtime/,
      about('{"format": 1, "name": "else"}'),
    );
    await refused(/manifest\.json is not JSON/, about('{'));
    await refused(/runtime: a runtime such as node-24\.21\.0/, runtimePackage('../../x', 'x'));
    await refused(
      /platform: a platform such as linux-x64/,
      runtimePackage(PINNED, 'x', { platform: '../x' }),
    );
    await refused(/bin\/node of the runtime is no program/, runtimePackage(PINNED, 'x', {}, 0o644));
    const good = runtimePackage(PINNED, 'x');
    await refused(/cannot be unpacked/, good.subarray(0, good.length - 20));
    const manifest = JSON.stringify((await packageOf(good)).manifest);
    await refused(/the runtime lacks bin\/node/, about(manifest));

    async function packageOf(bytes: Buffer) {
      writeFileSync(file, bytes);
      return readPackage(file);
    }
  });
});

describe('the packages of a database from before there were runtimes', () => {
  const world = useWorld({}, { dispatchers: 0 });

  test('are releases, named by their versions', async () => {
    const url = new URL(world().databaseUrl);
    const database = url.pathname.slice(1);
    await using server = conn(world().servers.mariadb.url, { connections: 1 });
    await server.run(`CREATE DATABASE ${database}`);
    await using db = conn(url.href, { connections: 1, multipleStatements: true });
    const migrations = new Postgrator({
      driver: 'mysql',
      database,
      migrationPattern: join(import.meta.dirname, '../src/dispatcher/store/migrations/*.sql'),
      schemaTable: 'schema_version',
      execQuery: async (text: string) => ({ rows: await db.query(text) }),
    });
    await migrations.migrate('001');
    const manifest = {
      format: 1,
      name: 'mega',
      version: '1.0.0',
      platforms: [here],
      runtime: PINNED,
      builtAt: '',
    };
    const statement = `INSERT INTO packages (version, sha256, size, chunk_bytes, chunks, manifest, state, created_at,
      created_by) VALUES ('1.0.0', ?, 1, 1, 1, ?, 'ready', UTC_TIMESTAMP(3), 'op')`;
    await db.run(statement, ['a'.repeat(64), JSON.stringify(manifest)]);
    await using store = await openStore(url.href);
    const row = await getPackage(store, '1.0.0');
    assert.deepEqual([row?.name, row?.kind, row?.manifest], ['1.0.0', 'release', manifest]);
  });
});
