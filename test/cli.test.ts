import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Command } from 'commander';
import { buildPackage } from '../src/cli/package/build.ts';
import { createProgram } from '../src/cli/program.ts';
import { table } from '../src/cli/table.ts';
import { ago, clean, quoted, wrap } from '../src/cli/text.ts';
import { mega, type Outcome, run, Site, scratch, until } from './support/cli.ts';

const silent = { write: () => undefined };
const room = { out: silent, err: silent, interrupt: () => new AbortController().signal, exitCode: 0 };

function ended({ code, out, err }: Outcome, expected: number): string {
  assert.equal(code, expected, `${out}${err}`);
  return out;
}

describe('what a user reads', () => {
  test('the help of every command ends with an example that names the command', () => {
    const visit = (command: Command, words: string[]): void => {
      let text = '';
      command.configureOutput({ writeOut: (more) => (text += more), getOutHelpWidth: () => 80 }).outputHelp();
      const name = words.join(' ');
      assert.match(text, /\nExamples?:\n( {2}.*\n?)+$/, name);
      assert.ok(text.slice(text.search(/Examples?:\n/)).includes(name), name);
      for (const line of text.split('\n')) assert.ok(line.length <= 90, line);
      for (const one of command.commands) visit(one, [...words, one.name()]);
    };
    visit(createProgram(room), ['mega']);
  });

  test('the help of mega tells the exit codes', async () => {
    const { code, out } = await run(['--help']);
    assert.equal(code, 0);
    for (const exit of ['0 ', '1 ', '2 ', '3 ', '4 ', '130 '])
      assert.match(out, new RegExp(`^ {2}${exit}`, 'm'));
  });

  test('wrong usage is one line that names what is wrong, and exit code 2', async () => {
    const wrong = [
      ['hots'],
      ['host', 'lst'],
      ['upgrade'],
      ['host', 'list', '--nope'],
      ['--timeout', 'x', 'host', 'list'],
      ['host', 'list', 'x'],
    ];
    for (const args of wrong) {
      const { code, out, err } = await run(args);
      assert.deepEqual({ code, out }, { code: 2, out: '' }, args.join(' '));
      assert.match(err, /^mega: .*; see --help\n$/);
    }
    assert.match((await run(['hots'])).err, /Did you mean host\?/);
  });

  test('a missing configuration says how to name one', async () => {
    const { code, err } = await run(['host', 'list', '--config', '/nonexistent/mega.json']);
    assert.equal(code, 2);
    assert.match(
      err,
      /^mega: no configuration: .*\/nonexistent\/mega\.json; name one with --config or \$MEGA_CONFIG.*\n$/,
    );
  });

  test('a broker that is not there is told with its address and without the password, and exit code 3', async () => {
    using folder = scratch();
    const config = join(folder.path, 'mega.json');
    writeFileSync(config, JSON.stringify({ broker: 'amqp://op_admin:verysecret@127.0.0.1:1/mega' }));
    const { code, err } = await run(['host', 'list', '--config', config, '--timeout', '0.5']);
    assert.equal(code, 3);
    assert.match(err, /^mega: no broker listens there: amqp:\/\/op_admin:\*\*\*@127\.0\.0\.1:1\/mega.*\n$/);
  });

  test('a table has columns that stand below their titles, numbers to the right', () => {
    const rows = [
      { name: 'db-01', n: 7 },
      { name: 'web-long', n: 1234 },
    ];
    const columns = [
      { title: 'HOST', cell: (row: (typeof rows)[0]) => row.name },
      { title: 'N', cell: (row: (typeof rows)[0]) => String(row.n), right: true },
    ];
    assert.equal(table(rows, columns), 'HOST         N\ndb-01        7\nweb-long  1234\n');
  });

  test('a table is cut to the terminal where it may be, and never in an id', () => {
    const columns = [
      { title: 'ID', cell: () => 'i'.repeat(36) },
      { title: 'WHY', cell: () => 'w'.repeat(90), shrinks: true },
    ];
    const [, line] = table([1], columns, 80).split('\n');
    assert.equal([...line!].length, 80);
    assert.ok(line!.startsWith(`${'i'.repeat(36)}  w`) && line!.endsWith('w…'));
  });

  test('what a host says cannot move the cursor, break the line or turn the words around', () => {
    assert.equal(clean('a\x1b[31m\nb\t\u009bc\u202ed\x00'), 'a�[31m b �c�d�');
  });

  test('a command that is printed can be copied into a shell', () => {
    assert.equal(quoted('/home/xdba/mega_client'), '/home/xdba/mega_client');
    assert.equal(quoted("it's a path"), "'it'\\''s a path'");
  });

  test('times are told as people say them', () => {
    const now = Date.parse('2026-01-02T00:00:00Z');
    assert.equal(ago('2026-01-01T23:59:48Z', now), '12 s ago');
    assert.equal(ago('2026-01-02T00:00:01Z', now), '0 s ago');
    assert.equal(ago('2026-01-01T22:00:00Z', now), '2 h ago');
    assert.equal(ago('2025-12-01T00:00:00Z', now), '32 d ago');
    assert.equal(ago(null, now), 'never');
    assert.equal(wrap('one two three', 11, 2), '  one two\n  three');
  });
});

describe('bin/mega', () => {
  test('works through a link and from a folder with a space in its name', async () => {
    using folder = scratch();
    const link = join(folder.path, 'mega');
    symlinkSync(mega, link);
    ended(await run(['--version'], link), 0);
    const checkout = join(folder.path, 'check out');
    mkdirSync(join(checkout, 'bin'), { recursive: true });
    for (const name of ['src', 'node_modules', 'package.json'])
      symlinkSync(join(mega, '../..', name), join(checkout, name));
    copyFileSync(mega, join(checkout, 'bin/mega'));
    chmodSync(join(checkout, 'bin/mega'), 0o755);
    assert.match(ended(await run(['--version'], join(checkout, 'bin/mega')), 0), /^\d+\.\d+\.\d+\n$/);
  });

  test('without the pinned node says what to do', async () => {
    using folder = scratch();
    mkdirSync(join(folder.path, 'bin'));
    copyFileSync(mega, join(folder.path, 'bin/mega'));
    const { code, err } = await run(['--version'], join(folder.path, 'bin/mega'));
    assert.equal(code, 1);
    assert.match(err, /the pinned Node\.js is missing; remedy: .*npm ci/);
  });
});

describe('a fleet on a real broker', { skip: !process.env.MEGA_TEST_RABBITMQ }, () => {
  let site: Site;
  before(() => {
    site = new Site();
  });
  after(() => site[Symbol.asyncDispose]());

  test('setup makes what a dispatcher and an operator need, in files that only the owner reads', async () => {
    const out = ended(await site.setup(), 0);
    assert.match(out, new RegExp(`vhost ${site.vhost} is ready`));
    for (const name of ['dispatcher.json', 'operator.json']) {
      assert.equal(statSync(site.at('etc', name)).mode & 0o777, 0o600);
    }
    const first = site.read('etc', 'operator.json');
    ended(await site.setup(), 0);
    assert.notEqual(site.read('etc', 'operator.json'), first);
    assert.doesNotMatch(out, new RegExp(new URL(site.managementUrl).password));
  });

  test('before a dispatcher has run, a command says that one is missing', async () => {
    const { code, err } = await site.operator('host', 'list', '--timeout', '2');
    assert.equal(code, 3, err);
    assert.match(err, /^mega: .*\n$/);
  });

  test('a dispatcher answers the operator: its functions, by name', async () => {
    await site.startDispatcher();
    assert.match(
      ended(await site.operator('api', 'list'), 0),
      /^client_upgrade\(to\?, on\?, trial = \{\}, downgrade = false, limits\?\)\n {4}\S/m,
    );
    const names = JSON.parse(ended(await site.operator('api', 'list', '--json'), 0)).map(
      (one: { name: string }) => one.name,
    );
    assert.ok(names.includes('get_all_server') && !names.includes('client_ping'), names);
    assert.deepEqual(JSON.parse(ended(await site.operator('api', 'call', 'get_all_server'), 0)), []);
    for (const args of [
      ['nope'],
      ['get_server', '{"host": 1}'],
      ['get_server', '[1]'],
      ['get_server', '{'],
      ['client_ping'],
    ]) {
      ended(await site.operator('api', 'call', ...args), 2);
    }
  });

  test('host add makes a home that the loader can start, and again gives a new secret', async () => {
    const file = await buildPackage({ version: '1.0.0', out: site.at('dist') });
    const host = site.newHost('db-01');
    const add = (id: string) =>
      site.operator('host', 'add', id, '--home', site.at('home'), '--package', file, '--heartbeat-ms', '500');
    assert.match(ended(await add(host), 0), /Next: '.*\/home\/bin\/mega_client' start\n$/);
    assert.equal(statSync(site.at('home/state')).mode & 0o777, 0o700);
    assert.equal(statSync(site.at('home/state/identity.json')).mode & 0o777, 0o600);
    assert.equal(statSync(site.at('home/bin/mega_client')).mode & 0o777, 0o755);
    assert.equal(readlinkSync(site.at('home/current')), 'releases/1.0.0');
    assert.ok(existsSync(site.at('home/current/runtime/bin/node')));
    const { broker, heartbeatMs } = JSON.parse(site.read('home/etc/agent.json'));
    assert.equal(heartbeatMs, 500);
    assert.deepEqual([new URL(broker).username, new URL(broker).pathname], ['', `/${site.vhost}`]);
    const first = JSON.parse(site.read('home/state/identity.json'));
    assert.equal(first.host, host);
    assert.match((await add(host)).err, /was registered already/);
    assert.notEqual(JSON.parse(site.read('home/state/identity.json')).secret, first.secret);
    const other = await add(site.newHost('db-02'));
    assert.equal(other.code, 2);
    assert.match(other.err, new RegExp(`is the home of ${host}`));
  });

  test('host add leaves a home that it can complete when the dispatcher is out of reach', async () => {
    const file = await buildPackage({ version: '1.0.0', out: site.at('dist') });
    const args = ['host', 'add', site.newHost('db-03'), '--home', site.at('home 3'), '--package', file];
    const away = site.at('away.json');
    writeFileSync(away, JSON.stringify({ broker: 'amqp://op_a:b@127.0.0.1:1/mega' }));
    ended(await run([...args, '--config', away, '--timeout', '0.5']), 3);
    assert.ok(!existsSync(site.at('home 3/state/identity.json')));
    ended(await site.operator(...args), 0);
    ended(await site.operator('host', 'remove', site.hosts.at(-1)!), 0);
  });

  test('hosts are listed and shown, for people and as one JSON document', async () => {
    const [host] = site.hosts;
    const list = JSON.parse(ended(await site.operator('host', 'list', '--json'), 0));
    assert.deepEqual(
      list.map((one: { id: string; online: boolean }) => [one.id, one.online]),
      [[host, false]],
    );
    assert.match(
      ended(await site.operator('host', 'list'), 0),
      new RegExp(`^HOST .*\n${host} +away +- +- +never\n$`),
    );
    assert.match(ended(await site.operator('host', 'show', host!), 0), new RegExp(`^host +${host}$`, 'm'));
    const { code, err } = await site.operator('host', 'show', 'nobody');
    assert.deepEqual([code, err], [2, 'mega: no host is called "nobody"; mega host list shows all\n']);
  });

  test('a package is published, and publishing it again changes nothing', async () => {
    const file = await buildPackage({ version: '1.1.0', out: site.at('dist') });
    assert.match(ended(await site.operator('package', 'publish', file), 0), /^mega 1\.1\.0 is published \(/);
    assert.match(
      ended(await site.operator('package', 'publish', file), 0),
      /^mega 1\.1\.0 is published already\n/,
    );
    const [listed] = JSON.parse(ended(await site.operator('package', 'list', '--json'), 0));
    assert.deepEqual([listed.version, listed.state, listed.signed], ['1.1.0', 'ready', true]);
    const changed = await buildPackage({ version: '1.1.0', out: site.at('changed'), prologue: '// other' });
    const { code, err } = await site.operator('package', 'publish', changed);
    assert.equal(code, 2);
    assert.match(err, /a version never changes/);
  });

  test('Ctrl-C ends the watching of an upgrade and not the upgrade; cancelled, it exits with 1', async () => {
    assert.equal((await site.operator('upgrade', '--to', '9.9.9', '--on', 'all')).code, 2);
    const watching = site.operatorStarts('upgrade', '--to', '1.1.0', '--on', 'all');
    // The signal is heard from the first look on, which is also when the job is told.
    await until('the job is told', () => /^job \S+\n/.test(watching.text().out));
    const id = /^job (\S+)\n/.exec(watching.text().out)![1]!;
    watching.kill('SIGINT');
    await once(watching, 'close');
    const { code, err } = watching.text();
    assert.equal(code, 130);
    assert.equal(err, `mega: the job goes on; watch it with: mega job watch ${id}\n`);
    assert.equal(JSON.parse(ended(await site.operator('job', 'show', id, '--json'), 0)).state, 'running');

    const [one] = JSON.parse(ended(await site.operator('task', 'list', '--job', id, '--json'), 0));
    ended(await site.operator('task', 'cancel', one.id), 0);
    const watched = await site.operator('job', 'watch', id);
    assert.match(
      ended(watched, 1),
      new RegExp(`^\\d\\d:\\d\\d:\\d\\d ${one.host} cancelled.*\njob ${id} cancelled in .*: 1 cancelled\n$`),
    );
    assert.equal(
      JSON.parse(ended(await site.operator('job', 'watch', id, '--json'), 1)).tasks[0].state,
      'cancelled',
    );
    assert.match(ended(await site.operator('task', 'show', one.id), 0), /^state +cancelled$/m);
    assert.match(ended(await site.operator('job', 'show', id), 0), /cancelled before it was sent/);
    assert.match(
      ended(await site.operator('job', 'list'), 0),
      new RegExp(`${id} +cancelled .* upgrade to 1\\.1\\.0 on all`),
    );
    assert.match(
      ended(await site.operator('task', 'list', '--host', one.host), 0),
      new RegExp(`${one.id} +${one.host} +cancelled`),
    );
  });

  test('a host that was added answers a ping, and its upgrade is watched to its end', async () => {
    const [host] = site.hosts;
    site.starts([site.at('home/bin/mega_client'), 'run']);
    const pinged = await site.operator('ping', '--on', host!);
    assert.match(ended(pinged, 0), new RegExp(`^${host} +succeeded +1\\.0\\.0\n`, 'm'));
    const out = ended(await site.operator('upgrade', '--to', '1.1.0', '--on', 'db-*'), 0);
    for (const phase of ['downloading', 'staging', 'watching', 'completed']) {
      assert.match(out, new RegExp(`^\\d\\d:\\d\\d:\\d\\d ${host} ${phase}$`, 'm'));
    }
    assert.match(out, /\njob \S+ succeeded in .*: 1 succeeded\n$/);
    const again = await site.operator('upgrade', '--to', '1.1.0', '--on', host!, '--json');
    const answer = JSON.parse(ended(again, 0));
    assert.deepEqual([answer.state, answer.tasks[0].state], ['succeeded', 'skipped']);
    assert.match(ended(await site.operator('host', 'list'), 0), new RegExp(`${host} +online +1\\.1\\.0 `));
  });
});
