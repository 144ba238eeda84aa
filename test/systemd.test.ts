// A real release, installed by its one file on a machine that real systemd has booted, as root and as an unprivileged
// user; only joining is played, by a few lines before the agent: what is asked here is what comes around it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../dev/world/until.ts';
import { addHostHere } from '../src/cli/host/add.ts';
import { packInstaller } from '../src/cli/package/installer.ts';
import { buildRuntime } from '../src/cli/package/runtime.ts';
import { hashPassword, newSecret } from '../src/lib/management.ts';
import { platform } from '../src/lib/utils.ts';
import { BootedMachine, cannotBoot } from './support/booted.ts';
import { ended, told, upgrade, useWorld } from './support/world.ts';

const HOME = '/home/xdba/mega_client';
const PLAYS_JOINING = `if (process.argv[2] === 'join') {
  const fs = await import('node:fs');
  const home = process.argv[4];
  const { broker, root, ...identity } = JSON.parse(Buffer.from(fs.readFileSync(0, 'utf8').slice(6), 'base64url'));
  const settings = { broker, heartbeatMs: 1000, reconnectMs: 500, arbitrationMs: 3000 };
  fs.writeFileSync(home + '/etc/agent.json', JSON.stringify(settings));
  fs.writeFileSync(home + '/etc/root.json', root);
  fs.writeFileSync(home + '/state/identity.json', JSON.stringify(identity), { mode: 0o600 });
  process.exit(0);
}`;

const skip = cannotBoot();
describe('a release that its installer brings to a machine with systemd', { skip }, () => {
  const world = useWorld();
  let installer: string;
  before(async () => {
    const out = join(world().folder, 'dist');
    const release = await world().build('1.0.0', PLAYS_JOINING);
    installer = await packInstaller(release, await buildRuntime({ out }, { write: () => true }), out);
    await world().publish('1.1.0');
  });

  for (const user of ['root', 'mega'])
    describe(`as ${user}`, () => {
      const host = `booted-${user}-${process.pid}`;
      let machine: BootedMachine;
      let files: string;
      let users: string;
      before(async () => {
        machine = await BootedMachine.boot();
        files = await machine.out(`find /etc /home /var /usr/local ! -path '/etc/*-' | sort`);
        users = await machine.out('cat /etc/passwd /etc/group');
      });
      after(async () => {
        await machine?.[Symbol.asyncDispose]();
        await world().management.deleteUser(host);
      });
      const show = (what: string) => machine.out(`systemctl show -P ${what} mega_client`);
      // In brackets, so that the shell which asks does not find itself.
      const agents = () => machine.out(`pgrep -f '[a]gent.mjs run --home ${HOME}' || :`);

      test('joins, starts, and says that a dispatcher has answered', async () => {
        const secret = newSecret();
        await world().call('add_server', { host, passwordHash: hashPassword(secret) });
        const { broker } = JSON.parse(readFileSync(world().operatorConfig, 'utf8')) as { broker: string };
        const plain = broker.replace(/\/\/[^@]*@/, '//');
        const { text } = await world().call<{ text: string }>('get_metadata', { name: 'root.json' });
        const token = Buffer.from(JSON.stringify({ host, secret, broker: plain, root: text })).toString(
          'base64url',
        );
        const line = `cd /root && sh '${installer}' ${user === 'root' ? '' : `--user ${user}`}`;
        const { code, output } = await machine.run(line, `mega1.${token}`);
        assert.equal(code, 0, output);
        assert.match(
          output,
          new RegExp(`a dispatcher has answered\n.*${host} is in the fleet, with release 1.0.0`),
        );
        await world().untilOnline([host]);
        assert.equal(await show('UnitFileState'), 'enabled');
        assert.equal(await machine.out(`ps -o user= -p ${await agents()}`), user);
      });

      test('has the home that mega host add makes', { skip: user !== 'root' }, async () => {
        const home = join(world().folder, 'hosts', `${host}-b`);
        const runtime = join(world().folder, 'dist', `node-${process.versions.node}-${platform()}.tar.gz`);
        const from = { config: world().operatorConfig, timeout: 60, package: await world().build('1.0.0') };
        await addHostHere({ ...from, home, runtime }, `${host}-b`);
        // Beyond that there is the link of the log, what joining has left, and what the agent that runs has written.
        const list = (place: string) =>
          `cd '${place}' && find . -path './state/[!d]*' -prune -o ! -path './etc/*' ! -name log -printf '%y %m %p %l\\n' | sort`;
        const added = execFileSync('sh', ['-c', list(home)], { encoding: 'utf8' }).trimEnd();
        assert.equal(await machine.out(list(HOME)), added);
      });

      test('gives way to the host: killed first, and hardened where no privilege is needed', async () => {
        const status = await machine.out(`cat /proc/${await agents()}/status`);
        assert.equal(await machine.out(`cat /proc/${await agents()}/oom_score_adj`), '1000');
        const hardened = user === 'root' ? ['0', '2'] : ['1', '2'];
        const found = ['NoNewPrivs', 'Seccomp'].map(
          (name) => new RegExp(`^${name}:\\s+(\\d)`, 'm').exec(status)?.[1],
        );
        assert.deepEqual(found, hardened);
        const capabilities = /^CapBnd:\s+(\w+)/m.exec(status)?.[1];
        assert.equal(capabilities === '0'.repeat(16), user !== 'root', capabilities);
      });

      test('upgrades itself, and nothing of it may be written or its state be read by others', async () => {
        const job = await upgrade(world(), '1.1.0', [host]);
        assert.equal(told((await ended(world(), job)).get(host)), 'succeeded completed 1.1.0');
        assert.equal(await machine.out(`readlink ${HOME}/current`), 'releases/1.1.0');
        const writable = await machine.out(`find ${HOME} /var/log/mega ! -type l -perm /022`);
        assert.equal(writable, user === 'root' ? '' : HOME);
        const [mode, group, members] = (
          await machine.out(`stat -c '%a %G' ${HOME} && getent group ${user}`)
        ).split(/[ \n]/);
        assert.deepEqual([mode, group], user === 'root' ? ['755', 'root'] : ['1775', user]);
        assert.match(members!, /:$/, 'the group is nobody else’s');
        assert.equal(await machine.out(`stat -c '%a %U' ${HOME}/state`), `700 ${user}`);
        assert.equal(await machine.out(`find ${HOME}/state -type f -name '[ij]*' -perm /077`), '');
        const owners = await machine.out(
          `find ${HOME}/bin ${HOME}/etc ! -user root; find ${HOME}/state ! -user ${user}`,
        );
        assert.equal(owners, '');
      });

      test('may not change what root runs, nor what it was told', { skip: user === 'root' }, async () => {
        for (const attempt of [
          `echo x >>${HOME}/bin/mega_client`,
          `mv ${HOME}/bin ${HOME}/other`,
          `mv ${HOME}/etc ${HOME}/other`,
          `rm -f ${HOME}/bin/mega_client`,
          `echo x >${HOME}/etc/agent.json`,
          `rm -f ${HOME}/etc/agent.json`,
          `ln -s /tmp ${HOME}/etc/preflight.d`,
          'echo x >>/etc/systemd/system/mega_client.service',
        ]) {
          const { code, output } = await machine.run(`runuser -u ${user} -- sh -c '${attempt}'`);
          assert.notEqual(code, 0, attempt);
          assert.match(output, /denied|not permitted/i);
        }
        // Root's own hands become the agent's user before they do anything there.
        assert.equal((await machine.run(`${HOME}/bin/mega_client wait 5`)).code, 0);
        assert.match((await machine.run(`${HOME}/bin/mega_client upgrade`)).output, /1\.1\.0/);
        assert.equal(await machine.out(`find ${HOME}/state ${HOME}/log/ ! -user ${user}`), '');
      });

      test('comes back when its loader is killed, and no agent of before is left', async () => {
        const [loader, agent] = [await show('MainPID'), await agents()];
        await machine.out(`kill -9 ${loader}`);
        await until('it to run again', async () => {
          const now = await agents();
          return (
            now !== '' && now !== agent && (await machine.run(`${HOME}/bin/mega_client wait 0`)).code === 0
          );
        });
        assert.notEqual(await show('MainPID'), loader);
        assert.equal(await show('NRestarts'), '1');
        assert.equal((await agents()).split('\n').length, 1);
      });

      test('run again, its installer asks for no token and leaves running what runs', async () => {
        const [loader, agent] = [await show('MainPID'), await agents()];
        const { code, output } = await machine.run(`sh '${installer}'`);
        assert.equal(code, 0, output);
        assert.match(output, /keeping release 1\.1\.0: versions change by upgrade/);
        assert.deepEqual([await show('MainPID'), await agents()], [loader, agent]);
      });

      test('ends in order when the service is stopped, and leaves no process', async () => {
        await machine.out('systemctl stop mega_client');
        assert.match(await machine.out(`tail -n 1 ${HOME}/log/mega_client.log`), /the agent has stopped/);
        assert.equal(await show('Result'), 'success');
        assert.equal(await machine.out(`pgrep -f '[m]ega_client/' || :`), '');
        await machine.out('systemctl start mega_client');
      });

      test('is removed by its installer without a trace', async () => {
        const { code, output } = await machine.run(`sh '${installer}' --uninstall`);
        assert.equal(code, 0, output);
        assert.equal(await machine.out(`find /etc /home /var /usr/local ! -path '/etc/*-' | sort`), files);
        assert.equal(await machine.out('cat /etc/passwd /etc/group'), users);
        assert.equal(await agents(), '');
        assert.match((await machine.run('systemctl status mega_client')).output, /could not be found/);
      });
    });
});
