// The installer as root runs it on a new host, with a small script in place of a release: see support/install.ts.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { platform } from '../src/lib/utils.ts';
import { run as mega, scratch } from './support/cli.ts';
import { fakeInstaller, keptScript, Machine, root, token } from './support/install.ts';
import { lives, shells } from './support/loader.ts';
import { onlyLong } from './support/long.ts';
import { cannotMount, fill, remounted, smallDisk } from './support/mounts.ts';

const folder = scratch();
let installer: string;
before(async () => {
  installer = await fakeInstaller(folder.path);
});
after(() => folder[Symbol.dispose]());

/** A user that every machine has. */
const unprivileged = 'daemon';
const notRoot = process.getuid?.() !== 0 && 'needs root';
const without = (...tools: string[]) =>
  tools.some((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) && `needs ${tools}`;

for (const shell of shells)
  describe(`install.sh under ${shell.name}`, {
    skip: shell.missing ? `${shell.name} is not installed` : shell.name === 'bash' && onlyLong.skip,
  }, () => {
    it('lays out the home, joins, puts in the service, starts, and waits for a dispatcher', async () => {
      await using machine = new Machine(shell.command);
      const { code, output } = await machine.install(installer, ['--name', 'db-07']);
      assert.equal(code, 0, output);
      assert.match(output, /db-07 is in the fleet, with release 1\.0\.0\n$/);
      assert.equal(machine.read('state/joined'), `${token} db-07\n`);
      assert.match(
        (await machine.loader('status')).output,
        /running as pid .*release 1\.0\.0\na dispatcher has/,
      );
      assert.deepEqual(
        machine.list({ from: machine.home(), owner: false }).filter((line) => !/ state\/[^d]/.test(line)),
        layout(machine),
      );
      assert.equal(
        fs.readlinkSync(machine.at('home/xdba/node_modules/mega-fleet')),
        '../mega_client/current/lib',
      );
      assert.ok(fs.statSync(machine.at('home/xdba/node_modules/mega-fleet/package.json')).isFile());
      assert.ok(fs.statSync(machine.at('home/xdba/scripts')).isDirectory());
      const unit = fs.readFileSync(machine.at('etc/systemd/system/mega_client.service'), 'utf8');
      assert.ok(unit.includes(`ExecStart="${machine.home('bin/mega_client')}" run\n`));
    });

    it('run again, asks for no token and changes nothing that runs', async () => {
      await using machine = new Machine(shell.command);
      await machine.install(installer);
      const [pid] = machine.read('state/loader.pid').split(' ');
      // The loader and the unit are written anew, with the same words.
      const anew = /\/(bin|system)(\/| )|\/state\/alive|\/log\//;
      const kept = () => machine.list({ exact: true }).filter((line) => !anew.test(line));
      const before = kept();
      const { code, output } = await machine.install(installer, [], '');
      assert.equal(code, 0, output);
      assert.match(output, /has joined already, as db-01/);
      assert.equal(machine.read('state/loader.pid').split(' ')[0], pid);
      assert.deepEqual(kept(), before);
    });

    it('run again, completes what is missing', async () => {
      await using machine = new Machine(shell.command);
      await machine.install(installer, ['--no-start']);
      const before = machine.list();
      for (const name of [
        'bin/mega_client',
        'current',
        'log',
        'releases/1.0.0',
        'runtimes',
        'state/downloads',
      ])
        fs.rmSync(machine.home(name), { recursive: true });
      fs.rmSync(machine.at('home/xdba/node_modules'), { recursive: true });
      const { code, output } = await machine.install(installer, ['--no-start'], '');
      assert.equal(code, 0, output);
      assert.deepEqual(machine.list(), before);
    });

    it('--uninstall ends all that runs and leaves nothing', async () => {
      await using machine = new Machine(shell.command);
      const before = machine.list();
      await machine.install(installer);
      const script = await keptScript(machine);
      const { code, output } = await machine.install(installer, ['--uninstall'], '');
      assert.equal(code, 0, output);
      assert.deepEqual(machine.list(), before);
      assert.deepEqual(machine.processes(), []);
      assert.equal(lives(script), false, 'a script runs on');
      assert.equal((await machine.install(installer, ['--uninstall'], '')).code, 0);
    });

    it('without systemd puts in an init script that answers as LSB wants', async () => {
      await using machine = new Machine(shell.command, { systemd: false });
      const before = machine.list();
      await machine.install(installer, ['--no-start']);
      const init = machine.at('etc/init.d/mega_client');
      const asked = async (...words: string[]) => (await machine.run([init, ...words])).code;
      assert.equal(fs.statSync(init).mode & 0o777, 0o755);
      assert.equal(await asked('status'), 3);
      assert.equal(await asked('stop'), 0);
      assert.equal(await asked('try-restart'), 0);
      assert.equal(await asked('status'), 3);
      assert.equal(await asked('start'), 0);
      assert.equal(await asked('start'), 0);
      assert.equal(await asked('status'), 0);
      const pid = machine.read('state/loader.pid');
      const score = fs.readFileSync(`/proc/${pid.trim()}/oom_score_adj`, 'utf8');
      assert.equal(score, '1000\n', 'a database would be killed before us');
      assert.equal(await asked('restart'), 0);
      assert.notEqual(machine.read('state/loader.pid'), pid);
      assert.equal(await asked(), 2);
      assert.equal(await asked('frobnicate'), 3);
      process.kill(Number(machine.read('state/loader.pid')), 'SIGKILL');
      assert.equal(await asked('status'), 1);
      assert.equal(await asked('stop'), 0);
      fs.rmSync(machine.home('bin/mega_client'));
      assert.deepEqual([await asked('start'), await asked('stop'), await asked('status')], [5, 0, 4]);
      await machine.install(installer, ['--uninstall']);
      assert.deepEqual(machine.list(), before);
    });
  });

/** As `mega host add` makes it, and a link to where logs are looked for. */
function layout(machine: Machine): string[] {
  const runtime = fs.readdirSync(machine.home('runtimes'))[0];
  return `d 755 bin
f 755 bin/mega_client
l  current -> releases/1.0.0
d 755 etc
f 600 etc/agent.json
f 644 etc/root.json
l  log -> ${machine.at('var/log/mega')}
d 755 releases
d 755 releases/1.0.0
f 444 releases/1.0.0/agent.mjs
d 755 releases/1.0.0/lib
f 444 releases/1.0.0/lib/package.json
f 444 releases/1.0.0/loader.sh
f 444 releases/1.0.0/manifest.json
l  releases/1.0.0/runtime -> ../../runtimes/${runtime}
d 755 runtimes
d 755 runtimes/${runtime}
d 755 runtimes/${runtime}/bin
f 555 runtimes/${runtime}/bin/node
f 444 runtimes/${runtime}/manifest.json
d 700 state
d 700 state/downloads`.split('\n');
}

const NOT_WHOLE = /is damaged or not whole: copy it again/;

describe('install.sh refuses, and says what to do', () => {
  async function refused(args: string[], input: string, code: number, why: RegExp, file = installer) {
    await using machine = new Machine();
    const before = machine.list();
    const { code: ended, output } = await machine.install(file, args, input);
    assert.match(output, why);
    assert.equal(ended, code, output);
    assert.deepEqual(machine.list(), before, 'something was done before the input was checked');
    assert.ok(!output.includes('SECRET'), 'a token was shown');
  }

  it('no token, and what is none', async () => {
    await refused([], '', 2, /no token: standard input is empty/);
    for (const bad of ['SECRET', 'mega1.', 'mega1.SECRET;reboot', 'mega2.SECRET', "'mega1.SECRET'"])
      await refused([], bad, 2, /this is no token: use the line/);
  });

  it('wrong usage', async () => {
    await refused(['--frobnicate'], token, 2, /unknown option '--frobnicate'/);
    await refused(['--name'], token, 2, /--name needs a value/);
    await refused(['--wait', 'long'], token, 2, /no number of seconds/);
    await refused(['--home', 'relative'], token, 2, /a path such as/);
    await refused(['--home', '/a/b|c'], token, 2, /alone can be used in a path/);
    await refused(['--home', '/a/../etc'], token, 2, /alone can be used in a path/);
    await refused(['--user', 'a b'], token, 2, /no name of a user/);
  });

  it('a user who is not there, where users are left alone', { skip: notRoot }, async () => {
    await refused(['--user', 'nobody-has-this'], token, 2, /with --root none is made/);
  });

  it('a file that was cut short or damaged, one for another machine, and one without a release', async () => {
    const bytes = fs.readFileSync(installer);
    const write = (name: string, text: Buffer | string) => {
      fs.writeFileSync(join(folder.path, name), text);
      return join(folder.path, name);
    };
    await refused([], token, 2, NOT_WHOLE, write('cut.sh', bytes.subarray(0, -9)));
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 3000]! ^= 0xff;
    await refused([], token, 2, NOT_WHOLE, write('damaged.sh', damaged));
    const other = bytes.toString('latin1').replace(/ platform='[^']*'/, " platform='linux-arm0'");
    await refused([], token, 2, /is for linux-arm0/, write('other.sh', Buffer.from(other, 'latin1')));
    await refused([], token, 2, /no release comes with this file/, join(root, 'deploy/install.sh'));
  });

  it('a Node.js that does not start here, before it bears a name', async () => {
    await using machine = new Machine();
    using other = scratch();
    const broken = await fakeInstaller(other.path, '1.0.0', '#!/lib/ld-not-here.so\n');
    const { code, output } = await machine.install(broken);
    assert.equal(code, 1, output);
    assert.match(output, /node-24\.0\.0 does not start on this machine: .*not found/i);
    assert.deepEqual(fs.readdirSync(machine.home('runtimes')), []);
  });

  it('a token that the dispatcher refuses, with its reason; another one completes', async () => {
    await using machine = new Machine();
    const { code, output } = await machine.install(installer, [], 'mega1.REFUSED');
    assert.equal(code, 2, output);
    assert.match(output, /the token is used up\n.*could not join: its reason is above/);
    assert.deepEqual(fs.readdirSync(machine.at('etc/systemd/system')), []);
    assert.equal((await machine.install(installer)).code, 0);
  });

  it('to wait for ever: no broker, or no dispatcher that answers, is exit code 3', async () => {
    await using machine = new Machine();
    assert.equal((await machine.install(installer, [], 'mega1.AWAY')).code, 3);
    fs.writeFileSync(machine.home('state/unheard'), '');
    const { code, output } = await machine.install(installer, ['--wait', '1']);
    assert.equal(code, 3, output);
    assert.match(output, /goes on trying, but no dispatcher has answered within 1 seconds/);
    assert.match(
      (await machine.loader('status')).output,
      /running as pid .*\nno dispatcher has answered yet\n/,
    );
  });
});

describe('install.sh on a disk', { skip: cannotMount() }, () => {
  it('that is too small asks for room before it writes', async () => {
    await using machine = new Machine();
    using _ = smallDisk(machine.at('home'), 1);
    const filled = fill(machine.at('home'), 8192);
    const { code, output } = await machine.install(installer);
    assert.equal(code, 1, output);
    assert.match(output, /has 0 MB free, and 1 MB are needed: free some/);
    assert.deepEqual(fs.readdirSync(machine.at('home')), ['filler']);
    filled.free();
    assert.equal((await machine.install(installer)).code, 0);
    await machine.loader('stop');
  });

  it('that fills up under way says so, names nothing, and completes when there is room', async () => {
    await using machine = new Machine();
    // Room by the count of blocks, and no more names: each one meets the end somewhere else.
    for (let names = 3; names < 40; names++) {
      fs.mkdirSync(machine.at('home'), { recursive: true });
      const size = `size=4m,nr_inodes=${names}`;
      execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'none', machine.at('home')]);
      try {
        const { code, output } = await machine.install(installer, ['--no-start']);
        if (code === 0) return assert.ok(names > 20);
        assert.equal(code, 1, output);
        assert.match(output, /mega-install: .*(cannot be|could not join|in \/|below)/);
        const current = fs.existsSync(machine.home('current'));
        assert.ok(
          !current || fs.existsSync(machine.home('current/runtime/bin/node')),
          'what runs is not whole',
        );
        execFileSync('mount', ['-o', 'remount,nr_inodes=100', machine.at('home')]);
        const again = await machine.install(installer, ['--no-start']);
        assert.equal(again.code, 0, `${names}: ${output}\n${again.output}`);
        assert.deepEqual(fs.readdirSync(machine.home('releases')), ['1.0.0']);
        await machine.install(installer, ['--uninstall']);
      } finally {
        execFileSync('umount', ['--lazy', machine.at('home')]);
      }
    }
    assert.fail('it never completed');
  });

  it('that is read-only says so', async () => {
    await using machine = new Machine();
    using _ = remounted(machine.at('home'), 'ro');
    const { code, output } = await machine.install(installer);
    assert.equal(code, 1, output);
    assert.match(output, /xdba.* cannot be made: see the disk and its mount/);
  });
});

describe('mega package installer', () => {
  it('gives the same bytes for the same packages', async () => {
    using other = scratch();
    const again = await fakeInstaller(other.path);
    assert.ok(fs.readFileSync(again).equals(fs.readFileSync(installer)));
    assert.equal(fs.statSync(again).mode & 0o777, 0o755);
    assert.ok(again.endsWith(`mega-install-1.0.0-${platform()}.sh`));
  });

  it('takes the packages that are there, and says which are missing or do not fit', async () => {
    using other = scratch();
    await fakeInstaller(other.path, '1.5.0');
    const out = ['--version', '1.5.0', '--out', other.path];
    fs.renameSync(join(other.path, 'release.tar.gz'), join(other.path, 'mega-1.5.0.tar.gz'));
    const missing = await mega(['package', 'installer', ...out]);
    assert.equal(missing.code, 2);
    assert.match(missing.err, /there is no .*node-24\.0\.0-.*\.tar\.gz: mega package build-runtime makes it/);
    fs.renameSync(join(other.path, 'runtime.tar.gz'), join(other.path, `node-24.0.0-${platform()}.tar.gz`));
    const wrong = await mega(['package', 'installer', ...out, '--runtime', 'node-24.1.0']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /runs on node-24\.0\.0, not on node-24\.1\.0/);
    const made = await mega(['package', 'installer', ...out]);
    assert.equal(made.code, 0, made.err);
    assert.match(made.err, /taking .*mega-1\.5\.0\.tar\.gz as it is/);
    await using machine = new Machine();
    assert.match((await machine.install(made.out.trim())).output, /in the fleet, with release 1\.5\.0\n$/);
  });
});

describe('what install.sh puts in', () => {
  it('is a unit that systemd understands, hardened more where no privilege is needed', {
    skip: without('systemd-analyze') || notRoot,
  }, async () => {
    await using machine = new Machine();
    await machine.install(installer, ['--no-start', '--user', unprivileged]);
    const units = machine.at('etc/systemd/system');
    const [unit, more] = ['mega_client.service', 'mega_client.service.d/user.conf'].map((name) =>
      fs.readFileSync(join(units, name), 'utf8'),
    );
    assert.ok(more!.includes(`\nUser=${unprivileged}\n`));
    const exposure = (name: string, text: string) => {
      const file = join(machine.folder, name);
      fs.writeFileSync(file, text);
      const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
      assert.equal(verified.stderr, '', 'systemd-analyze verify');
      const asked = ['security', '--offline=true', '--no-pager', file];
      const said = spawnSync('systemd-analyze', asked, { encoding: 'utf8' }).stdout;
      return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
    };
    const [asRoot, asUser] = [exposure('asroot.service', unit!), exposure('asuser.service', unit! + more!)];
    assert.ok(asUser < 2.5 && asUser < asRoot, `exposure ${asRoot} and ${asUser}`);
  });

  it('is written without a fault that shellcheck knows', { skip: without('shellcheck') }, () => {
    const scripts = ['deploy/install.sh', 'deploy/mega_client.init', 'src/agent/loader.sh'];
    assert.equal(spawnSync('shellcheck', scripts, { cwd: root, encoding: 'utf8' }).stdout, '');
  });

  it('leaves what others have put there', async () => {
    await using machine = new Machine();
    await machine.install(installer, ['--no-start']);
    for (const name of ['scripts/backup.sh', 'mega_client/notes'])
      fs.writeFileSync(machine.at('home/xdba', name), 'of somebody else');
    const { code, output } = await machine.install(installer, ['--uninstall']);
    assert.equal(code, 0);
    assert.match(output, /kept, since it holds what is not ours: .*\/scripts\n/);
    const left = machine.list({ from: machine.at('home'), owner: false });
    assert.deepEqual(
      left.filter((line) => line.startsWith('f')),
      ['f 644 xdba/mega_client/notes', 'f 644 xdba/scripts/backup.sh'],
    );
  });
});
