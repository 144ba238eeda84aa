import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { runHooks } from '../src/agent/upgrade/hooks.ts';
import type { Refusal } from '../src/agent/upgrade/refusal.ts';
import { buildPackage } from '../src/cli/package/build.ts';
import { homeAt } from '../src/lib/home.ts';
import { hashPassword } from '../src/lib/management.ts';
import { operatorPermissions } from '../src/lib/topology.ts';
import { signBody } from '../src/lib/trust/jose.ts';
import { platform, uuidv7 } from '../src/lib/utils.ts';
import { scratch } from './support/cli.ts';
import { cannotMount, fill, remounted, smallDisk } from './support/mounts.ts';
import { addCheck, exitOf, falseOrder, rewrite } from './support/orders.ts';
import { orderKeyOf, sendBody } from './support/outage-once.ts';
import { dispatcherBroker } from './support/stream.ts';
import { ended, type TaskView, told, upgrade, useWorld } from './support/world.ts';

const here = platform();
const DISK_MB = 64;

describe('bad input and bad luck', { concurrency: 3 }, () => {
  const world = useWorld();
  before(async () => {
    await world().publish('1.0.0');
    await world().publish('1.1.0');
  });

  async function joined(name: string, version = '1.0.0'): Promise<AgentProcess> {
    const agent = await world().addHost(`${world().name}-${name}`, version);
    await agent.start();
    await world().untilOnline([agent.id]);
    return agent;
  }

  async function upgraded(agent: AgentProcess, to = '1.1.0'): Promise<TaskView> {
    const task = (await ended(world(), await upgrade(world(), to, [agent.id]))).get(agent.id);
    assert.ok(task);
    return task;
  }

  /** Refused or failed for this reason, and nothing is left of the attempt. */
  function assertUnharmed(
    task: TaskView | undefined,
    end: string,
    reason: RegExp,
    agent: AgentProcess,
  ): void {
    assert.equal(`${task?.state} ${task?.running}`, `${end} 1.0.0`, `${task?.reason}\n${agent.log()}`);
    assert.match(task?.reason ?? '', reason);
    assert.equal(agent.current, '1.0.0');
    assert.deepEqual(readdirSync(agent.home.releases), ['1.0.0']);
    assert.deepEqual(readdirSync(agent.home.downloads), []);
  }

  async function assertRecovers(agent: AgentProcess): Promise<void> {
    const task = await upgraded(agent);
    assert.equal(told(task), 'succeeded completed 1.1.0', `${task.reason}\n${agent.log()}`);
    assert.equal(agent.current, '1.1.0');
  }

  /** A home on a disk of its own, all but the runtime and the log. */
  async function onSmallDisk(name: string, opened: DisposableStack): Promise<AgentProcess> {
    const id = `${world().name}-${name}`;
    const home = join(world().folder, 'disks', id);
    opened.use(smallDisk(home, DISK_MB));
    const elsewhere = { runtimes: join(world().folder, 'runtimes'), log: join(world().folder, 'logs', id) };
    for (const [name, place] of Object.entries(elsewhere)) {
      mkdirSync(place, { recursive: true });
      symlinkSync(place, join(home, name));
    }
    const agent = await world().addHost(id, '1.0.0', home);
    await agent.start();
    await world().untilOnline([agent.id]);
    return agent;
  }

  describe('an order is refused, and nothing is done,', () => {
    test('for a host or a version that nobody knows: the command line says so and exits with 2', async () => {
      const agent = await joined('known');
      const host = await exitOf(world(), 'upgrade', '--to', '1.1.0', '--on', 'nobody');
      assert.deepEqual(host, {
        code: 2,
        err: 'mega: no host is called "nobody"; mega host list shows all\n',
      });
      const version = await exitOf(world(), 'upgrade', '--to', '9.9.9', '--on', agent.id);
      assert.deepEqual(version, {
        code: 2,
        err: 'mega: version 9.9.9 is not published; mega package list shows what is\n',
      });
    });

    test('for a host whose name another user of the broker bears: that user keeps its password', async () => {
      const name = `${world().name}-taken`;
      const { management } = world();
      await management.putUser(name, hashPassword('theirs'), operatorPermissions(), 'monitoring');
      try {
        const asked = world().call('add_server', { host: name, passwordHash: hashPassword('x'.repeat(20)) });
        await assert.rejects(asked, { code: 'name_taken', message: /choose another name/ });
        const login = Buffer.from(`${name}:theirs`).toString('base64');
        const url = new URL('/api/whoami', world().servers.rabbitmq.managementUrl);
        url.username = '';
        url.password = '';
        const who = await fetch(url, { headers: { authorization: `Basic ${login}` } });
        assert.equal(who.status, 200);
      } finally {
        await management.deleteUser(name);
      }
    });

    test('for a package of another platform', async () => {
      const agent = await joined('platform');
      const out = join(world().folder, 'foreign');
      const file = await buildPackage({ version: '1.0.5', out, platforms: ['linux-riscv64'] });
      await world().mega('package', 'publish', file);
      const reason = new RegExp(`the package is for linux-riscv64; this host is ${here}`);
      assertUnharmed(await upgraded(agent, '1.0.5'), 'rejected', reason, agent);
      await assertRecovers(agent);
    });

    test('that says what is not so of its host or its package', async () => {
      const agent = await joined('lied-to');
      const lies: [object, string, RegExp][] = [
        [{ expect: '0.9.0' }, 'rejected', /expects 0\.9\.0, but 1\.0\.0 runs: order it again/],
        [{ to: '1.0.0' }, 'rejected', /1\.0\.0 runs already/],
        [
          { runtime: 'node-99.0.0' },
          'rejected',
          /runtime node-99\.0\.0-\S+ is neither on this host nor published: `mega package build-runtime`/,
        ],
        [{ sha256: '0'.repeat(64) }, 'rejected', /another 1\.1\.0 than the one that was signed/],
        [{ size: 4_000 }, 'rejected', /another 1\.1\.0 than the one that was signed/],
        [{ size: 2 ** 40 }, 'rejected', /has \S+ \S+ free, 6\.0 TB are needed: free some/],
        [{ to: '1.0.7' }, 'rejected', /1\.0\.7 is not among the signed packages/],
        [{ to: '../x' }, 'failed', /to: a version such as 1\.4\.0/],
      ];
      await agent.stop();
      await until('the host to count as away', async () => {
        const hosts = await world().call<{ id: string; online: boolean }[]>('get_all_server');
        return hosts.some((host) => host.id === agent.id && !host.online);
      });
      const jobs: string[] = [];
      for (const [lie] of lies) jobs.push(await falseOrder(world(), '1.1.0', agent.id, lie));
      await agent.start();
      const tasks: (TaskView | undefined)[] = [];
      for (const job of jobs) tasks.push((await ended(world(), job)).get(agent.id));
      for (const [i, [, end, reason]] of lies.entries()) assertUnharmed(tasks[i], end, reason, agent);
      await assertRecovers(agent);
    });

    test('while a check of its owner says not now, in the words of the check', async () => {
      const agent = await joined('not-now');
      addCheck(agent, 'backup', 'echo looking; echo "a backup runs until 3:00" >&2; exit 1');
      const postponed = 'rejected';
      const words = /the check backup says not now: a backup runs until 3:00/;
      assertUnharmed(await upgraded(agent), postponed, words, agent);
      addCheck(agent, 'backup', 'exit 0', 0o644);
      assertUnharmed(await upgraded(agent), postponed, /backup says not now: .*EACCES/, agent);
      addCheck(agent, 'backup', 'exit 0');
      await assertRecovers(agent);
    });

    test('while the clock of the host is off by more than five minutes', async () => {
      const ahead = 'const clock = Date.now; Date.now = () => clock() + 6 * 60_000;';
      await world().build('1.0.0-clock', ahead);
      const agent = await joined('clock', '1.0.0-clock');
      const task = await upgraded(agent);
      assert.equal(task.state, 'rejected', `${task.reason}\n${agent.log()}`);
      assert.match(task.reason ?? '', /this host's clock is off by -3\d\d s: set it first/);
      assert.equal(agent.current, '1.0.0-clock');
    });
  });

  describe('an upgrade fails and leaves nothing behind', { skip: cannotMount() }, () => {
    const takeSpace = (leaveKb: number) => `
      left=$(df -k --output=avail . | tail -1)
      [ ! -e filled ] || exit 0
      : >filled
      head -c $(((left - ${leaveKb}) * 1024)) /dev/zero >filler || : as much as there is`;

    test('when the disk is too full to begin with', async () => {
      using opened = new DisposableStack();
      const agent = await onSmallDisk('full-before', opened);
      opened.defer(() => agent.killAll());
      const filled = fill(agent.home.root, 10 << 20);
      const reason = /has \d\S* MB free, \d\S* MB are needed: free some/;
      assertUnharmed(await upgraded(agent), 'rejected', reason, agent);
      filled.free();
      await assertRecovers(agent);
      await agent.stop();
    });

    for (const [phase, leaveKb] of [
      ['downloading', 500],
      ['staging', 2_500],
    ] as const) {
      test(`when the disk runs full while ${phase}`, async () => {
        using opened = new DisposableStack();
        const agent = await onSmallDisk(`full-${phase}`, opened);
        addCheck(agent, 'fill', takeSpace(leaveKb));
        const task = await upgraded(agent);
        assertUnharmed(task, 'failed', /no space left .*free some/, agent);
        rmSync(join(agent.home.root, 'filler'));
        await assertRecovers(agent);
        await agent.stop();
      });
    }

    test('or goes on later, when not even the journal has room in mid upgrade', async () => {
      using opened = new DisposableStack();
      const agent = await onSmallDisk('full-mid', opened);
      addCheck(agent, 'fill', takeSpace(0));
      const job = await upgrade(world(), '1.1.0', [agent.id]);
      await agent.untilLogged('cannot be written down yet');
      rmSync(join(agent.home.root, 'filler'));
      const task = (await ended(world(), job)).get(agent.id);
      assertUnharmed(task, 'failed', /no space left for the journal: free some/, agent);
      await assertRecovers(agent);
      await agent.stop();
    });

    test('when the releases cannot be written', async () => {
      const agent = await joined('read-only');
      {
        using _ = remounted(agent.home.releases, 'ro');
        const reason = /releases cannot be written \(EROFS\): see its owner, mode and mount/;
        assertUnharmed(await upgraded(agent), 'rejected', reason, agent);
      }
      await assertRecovers(agent);
    });

    test('when the runtimes may not be executed', async () => {
      const agent = await joined('noexec');
      {
        using _ = remounted(agent.home.runtimes, 'noexec');
        const reason = /bin\/node may not be executed: is \S+runtimes mounted noexec\?/;
        assertUnharmed(await upgraded(agent), 'rejected', reason, agent);
      }
      await assertRecovers(agent);
    });

    test('and an order that a full disk kept from being written down is carried out later', async () => {
      using opened = new DisposableStack();
      const agent = await onSmallDisk('full-journal', opened);
      const filled = fill(agent.home.root);
      const job = await upgrade(world(), '1.1.0', [agent.id]);
      await agent.untilLogged('an order could not be written down');
      await until('the task to be queued, and no more', async () => {
        const { counts } = await world().call<{ counts: { queued?: number } }>('get_job', { id: job });
        return counts.queued === 1;
      });
      filled.free();
      const task = (await ended(world(), job)).get(agent.id);
      assert.equal(told(task), 'succeeded completed 1.1.0', `${task?.reason}\n${agent.log()}`);
      await agent.stop();
    });
  });

  describe('an agent says what is wrong and goes on once it is mended', () => {
    const startsOf = (agent: AgentProcess) => agent.log().match(/mega_client: started /g)?.length ?? 0;

    test('with the password of somebody else', async () => {
      const agent = await world().addHost(`${world().name}-password`, '1.0.0');
      const before = rewrite(agent.home.identity, () => ({ secret: 'of somebody else' }));
      await agent.start();
      await agent.untilLogged('the broker refuses the user or the password');
      assert.equal(startsOf(agent), 1, 'the loader restarted an agent that could wait');
      writeFileSync(agent.home.identity, before);
      await agent.stop();
      await agent.start();
      await world().untilOnline([agent.id]);
    });

    test('where no broker listens, and where something else does', async () => {
      const agent = await world().addHost(`${world().name}-port`, '1.0.0');
      const before = rewrite(agent.home.config, () => ({ broker: 'amqp://127.0.0.1:1/mega' }));
      await agent.start();
      await agent.untilLogged('no broker listens there');
      await agent.stop();
      await using other = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
        socket.destroySoon();
      });
      const port = await new Promise((done) => {
        other.listen(0, '127.0.0.1', () => done((other.address() as { port: number }).port));
      });
      rewrite(agent.home.config, () => ({ broker: `amqp://127.0.0.1:${port}/mega` }));
      await agent.start();
      await agent.untilLogged('the broker cannot be reached');
      assert.equal(startsOf(agent), 2, 'the loader restarted an agent that could wait');
      writeFileSync(agent.home.config, before);
      await agent.stop();
      await agent.start();
      await world().untilOnline([agent.id]);
    });

    test('with a configuration that is not JSON, or not all there', async () => {
      const agent = await joined('config');
      const before = rewrite(agent.home.config, () => ({}));
      await agent.stop();
      for (const [text, words] of [
        ['{ "broker": ', /agent\.json/],
        ['{}', /agent\.json is not usable: broker/],
      ] as const) {
        writeFileSync(agent.home.config, text);
        await agent.start();
        await agent.untilLogged(words);
        await agent.untilLogged(/ended: exit 2/);
        await agent.stop();
      }
      assert.ok(startsOf(agent) < 10, 'the loader loops wildly');
      writeFileSync(agent.home.config, before);
      await agent.start();
      await world().untilOnline([agent.id]);
      await assertRecovers(agent);
    });

    test('whose loader was killed: it ends by itself, and the next loader starts another', async () => {
      const agent = await joined('loaderless');
      const orphan = agent.agentPid;
      process.kill(agent.loaderPid, 'SIGKILL');
      await until('the agent to end', () => !isThere(orphan));
      await agent.untilLogged('"ending":"orphaned"');
      await until('the loader to be gone', () => !agent.running);
      await agent.start();
      await until('another agent', () => agent.agentPid !== orphan && isThere(agent.agentPid));
      await world().untilOnline([agent.id]);
      await assertRecovers(agent);
    });

    test('that gets what is no order: it is parked, and the next order is obeyed', async () => {
      const agent = await joined('junk');
      await using broker = await dispatcherBroker(world());
      const about = { v: 1, task: uuidv7(), host: 'another', sequence: 1, type: 'ping', args: {} };
      const order = { ...about, timeoutMs: 1000 };
      const key = orderKeyOf(world());
      const bodies = ['', 'not JSON', '{}', JSON.stringify({ ...order, issued: 0, expires: Date.now() * 2 })];
      for (const text of bodies) {
        const body = Buffer.from(text);
        await sendBody(broker, agent.id, body, { jws: await signBody(body, key) });
      }
      await agent.untilLogged(/an order for another came to /);
      const parked = () => agent.log().match(/a message in our queue cannot be used/g)?.length;
      assert.equal(parked(), bodies.length);
      await assertRecovers(agent);
    });
  });
});

describe('a check of the host that does not end', () => {
  test('is killed at its limit, and postpones the upgrade', async () => {
    using folder = scratch();
    const home = homeAt(folder.path);
    const agent = { home } as AgentProcess;
    addCheck(agent, 'hangs', "trap '' TERM; while :; do sleep 1; done");
    await assert.rejects(runHooks(home, new AbortController().signal, 300), (error: Refusal) => {
      assert.equal(error.postponed, true);
      assert.match(error.message, /the check hangs says not now: it did not end within 0\.3 s/);
      return true;
    });
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
