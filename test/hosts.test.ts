import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import type { AuditedCall, Host } from '../src/cli/answers.ts';
import { setFacts } from '../src/dispatcher/store/facts.ts';
import { mega } from './support/cli.ts';
import { addCheck, exitOf, outcomeOf } from './support/orders.ts';
import { ended, type TaskView, tasksOf, told, upgrade, useWorld } from './support/world.ts';

// One of the agents is heard when it says hello, and hardly ever after that.
const SELDOM_MS = 600_000;

const world = useWorld({ dispatcher: { offlineAfterMs: 2 * SELDOM_MS } });

describe('the inventory', { timeout: 120_000 }, () => {
  const ids = ['db-01', 'db-02', 'web-1'];
  const settings = () => ({ ...process.env, MEGA_CONFIG: world().operatorConfig });
  before(async () => {
    const db = world().database();
    await db.run('INSERT INTO hosts (id, registered_at) VALUES ?', [ids.map((id) => [id, new Date()])]);
    await setFacts(db, 'db-01', { os: 'debian', disk: { home: 20 }, ips: ['10.0.0.1', '10.0.0.2'] });
  });

  const meant = async (...on: string[]) => {
    const terms = on.flatMap((one) => ['--on', one]);
    return (await world().json<Host[]>('host', 'list', ...terms)).map((one) => one.id);
  };
  const labels = async () => {
    const all = await world().call<Host[]>('get_all_server');
    return Object.fromEntries(all.map((one) => [one.id, one.labels]));
  };
  const file = (name: string, text: string) => {
    const path = join(world().folder, name);
    writeFileSync(path, text);
    return path;
  };

  test('has labels that are given and taken away, on one host or on those that are meant', async () => {
    assert.equal(
      await world().mega('host', 'label', 'db-01', 'role=primary', 'dc=hz'),
      '1 host, 1 changed\n',
    );
    assert.equal(
      await world().mega('host', 'label', '--on', '!db-01', 'role=replica', 'dc=hz'),
      '2 hosts, 2 changed\n',
    );
    assert.equal(await world().mega('host', 'label', '--on', 'all', 'dc=hz'), '3 hosts, 0 changed\n');
    assert.equal(await world().mega('host', 'label', 'web-1', 'role=page', 'dc-'), '1 host, 1 changed\n');
    assert.deepEqual(await labels(), {
      'db-01': { role: 'primary', dc: 'hz' },
      'db-02': { role: 'replica', dc: 'hz' },
      'web-1': { role: 'page' },
    });
    for (const [words, err] of [
      [['db-01'], /name the labels/],
      [['db-01', 'role'], /"role" is neither a label/],
      [['db-01', 'version=1'], /labels\.version: .*a target means something else by this name/],
      [['nobody', 'role=x'], /no host is called "nobody"/],
      [['--on', 'rol=primary', 'x=y'], /no host has a label "rol"/],
    ] as const) {
      const wrong = await exitOf(world(), 'host', 'label', ...words);
      assert.equal(wrong.code, 2, wrong.err);
      assert.match(wrong.err, err);
    }
  });

  test('is listed as far as it is meant, by labels, by facts, by a file and by standard input', async () => {
    assert.deepEqual(await meant('dc=hz', '!role=primary'), ['db-02']);
    assert.deepEqual(await meant('fact.disk.home<50,fact.ips=*.2'), ['db-01']);
    assert.match(
      await world().mega('host', 'show', 'db-01'),
      /^fact\.disk\.home +20\nfact\.ips +10\.0\.0\.1 10\.0\.0\.2$/m,
    );
    const hosts = file('hosts.txt', '\ufeff# those that move\r\ndb-*\r\n\r\nweb-1 # the page\r\n');
    assert.deepEqual(await meant(`@${hosts}`, '!db-02'), ['db-01', 'web-1']);
    const piped = 'printf "%s\\n" "# all but" "!$0" | "$1" host list --json --on -';
    const { stdout } = await promisify(execFile)('sh', ['-c', piped, 'db-01', mega], { env: settings() });
    assert.deepEqual(
      (JSON.parse(stdout) as Host[]).map((one) => one.id),
      ['db-02', 'web-1'],
    );
    const page = await world().call<Host[]>('get_all_server', { on: ['db-*'], after: 'db-01', limit: 1 });
    assert.deepEqual(
      page.map((one) => one.id),
      ['db-02'],
    );
    const empty = await exitOf(world(), 'ping', '--on', `@${file('empty.txt', '# nobody\n')}`);
    assert.equal(empty.code, 2);
    assert.match(empty.err, /empty\.txt names no host\n$/);
    assert.match(
      (await exitOf(world(), 'ping', '--on', '@nowhere')).err,
      /file of hosts nowhere cannot be read: ENOENT/,
    );
  });

  for (const format of ['json', 'csv']) {
    test(`comes back from a file in ${format} as it was, and tells what that changes`, async () => {
      await world().call('hold_server', {
        on: ['db-02'],
        reason: 'a "disk", changed',
        until: '2036-01-01T00:00:00Z',
      });
      const before = [await labels(), (await world().call<Host>('get_server', { host: 'db-02' })).hold];
      const exported = file(`hosts.${format}`, await world().mega('host', 'export', '--format', format));
      assert.equal(await world().mega('host', 'import', exported), '0 hosts changed\n');
      await world().call('mod_server', { host: 'db-01', labels: { role: 'replica', dc: null } });
      await world().call('unhold_server', { on: ['all'] });
      const dry = await world().mega('host', 'import', exported, '--dry-run');
      assert.equal(
        dry,
        'db-01: dc=hz, role=primary (was replica)\n' +
          'db-02: held until 2036-01-01T00:00:00.000Z: a "disk", changed\n2 hosts would change\n',
      );
      assert.deepEqual((await labels())['db-01'], { role: 'replica' });
      assert.match(await world().mega('host', 'import', exported), /^db-01: .*\n2 hosts changed\n$/s);
      assert.deepEqual(
        [await labels(), (await world().call<Host>('get_server', { host: 'db-02' })).hold],
        before,
      );
    });
  }

  test('takes nothing from a file that names a host that is not there, unless that is passed over', async () => {
    const csv = file('more.csv', 'id,label.dc,hold\ndb-01,sh,\ngone-1,sh,\nweb-1,sh,"power, works"\n');
    const refused = await outcomeOf(world(), 'host', 'import', csv);
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /^mega: no host is called "gone-1"\nmega: leave them out of the file, or .*--skip-unknown\n$/,
    );
    assert.match(refused.out, /2 hosts would change; nothing was changed\n$/);
    assert.equal((await labels())['db-01']?.dc, 'hz');
    const passed = await outcomeOf(world(), 'host', 'import', csv, '--skip-unknown');
    assert.equal(passed.code, 0);
    assert.equal(passed.out, 'db-01: dc=sh (was hz)\nweb-1: dc=sh, held: power, works\n2 hosts changed\n');
    assert.deepEqual((await labels())['db-01'], { role: 'primary', dc: 'sh' });
    const wrong = [
      ['id,label.dc\ndb-01,"hz" x\n', /line 2: a quote/],
      ['id,lable.dc\ndb-01,hz\n', /no column is called "lable\.dc"/],
      ['[{"id": "db-01", "lables": {}}]', /neither "labels" nor "hold"/],
      ['[{"id": "db-01", "hold": {"reason": "x", "until": "noon"}}]', /ends at "noon", which is no time/],
      ['', /there is no host in it/],
    ] as const;
    for (const [text, err] of wrong) {
      const told = await exitOf(world(), 'host', 'import', file('wrong', text));
      assert.equal(told.code, 2, told.err);
      assert.match(told.err, err);
    }
  });

  test('knows a host that was removed no more, and says so', async () => {
    assert.equal(
      await world().mega('host', 'remove', 'web-1'),
      'web-1 is removed: the broker lets it in no more\n',
    );
    const gone = { code: 2, err: 'mega: no host is called "web-1"; mega host list shows all\n' };
    assert.deepEqual(await exitOf(world(), 'host', 'remove', 'web-1'), gone);
    assert.deepEqual(await exitOf(world(), 'ping', '--on', 'db-*', '--on', 'web-1'), gone);
    const left = await world().mega('host', 'export', '--format', 'csv');
    assert.match(
      left,
      /^id,state.*,hold,hold_until,label\.dc,label\.role\ndb-01,away,.*,sh,primary\ndb-02,"away, held",/,
    );
    await world().call('unhold_server', { on: ['all'] });
  });
});

describe('a host that is held', { timeout: 120_000 }, () => {
  let often: AgentProcess;
  let seldom: AgentProcess;
  before(async () => {
    often = await world().addHost(`${world().name}-often`, '1.0.0');
    const own = { settings: { heartbeatMs: SELDOM_MS } };
    seldom = await world().addHost(`${world().name}-seldom`, '1.0.0', undefined, own);
    for (const agent of [often, seldom]) void agent.supervise();
    await world().untilOnline([often.id, seldom.id]);
  });

  const hostOf = ({ id }: AgentProcess) => world().call<Host>('get_server', { host: id });
  const rotate = async (...agents: AgentProcess[]) =>
    (await world().call<{ job: string }>('rotate_secret', { on: agents.map((one) => one.id) })).job;
  const taskOf = async (job: string, { id }: AgentProcess) => (await tasksOf(world(), job)).get(id)!;
  const pinged = async (agent: AgentProcess) => {
    const { job } = await world().call<{ job: string }>('ping', { on: [agent.id] });
    return (await ended(world(), job)).get(agent.id)?.state;
  };
  /** It was there to take it, and nobody has tried to send it. */
  const waits = async (job: string, agent: AgentProcess) => {
    assert.equal(await pinged(agent), 'succeeded');
    const { state, attempts } = await taskOf(job, agent);
    assert.deepEqual([state, attempts], ['pending', 0]);
  };
  const ownerHolds = (agent: AgentProcess, text: string) => writeFileSync(agent.home.hold, text);

  test('gets nothing but pings while its task waits, and the task once it is held no more', async () => {
    const held = await world().mega('host', 'hold', often.id, '--reason', 'moving house', '--until', '8h');
    assert.match(held, /^1 host held until \d{4}-.* UTC \(in [78] h\)\n$/);
    const job = await rotate(often, seldom);
    await until('the other host to end', async () => (await taskOf(job, seldom)).state === 'succeeded');
    await waits(job, often);
    assert.match(await world().mega('host', 'list'), new RegExp(`${often.id} +online, held +1\\.0\\.0`));
    const why = /^held +by op_\S+, until \d{4}.* UTC \(in [78] h\): moving house$/m;
    assert.match(await world().mega('host', 'show', often.id), why);
    const [listed] = await world().json<Host[]>('host', 'list', '--on', 'status=held');
    assert.deepEqual([listed?.id, listed?.hold?.reason], [often.id, 'moving house']);
    const [audited] = await world().call<AuditedCall[]>('get_all_audit', { fn: 'hold_server' });
    assert.deepEqual([audited?.target, audited?.hosts, audited?.outcome], [often.id, 1, 'ok']);
    const released = await world().mega('host', 'unhold', '--on', 'status=held');
    assert.equal(released, '1 host, 1 of them no longer held\n');
    assert.equal(told((await ended(world(), job)).get(often.id)), 'succeeded  1.0.0');
  });

  test('is so until the time that was said, and then no more, without anybody’s doing', async () => {
    await world().call('hold_server', { on: [often.id], reason: 'for an hour', forMs: 3_600_000 });
    const job = await rotate(often);
    await waits(job, often);
    const later = 'UPDATE hosts SET held_until = held_until - INTERVAL 1 HOUR WHERE id = ?';
    await world().database().run(later, [often.id]);
    assert.equal(told((await ended(world(), job)).get(often.id)), 'succeeded  1.0.0');
    assert.equal((await hostOf(often)).hold, null);
    assert.equal(await world().mega('host', 'unhold', often.id), '1 host, 0 of them no longer held\n');
  });

  test('has tasks that expire with the hold as their reason', async () => {
    await world().call('hold_server', { on: [often.id], reason: 'a disk is changed' });
    const job = await rotate(often);
    const db = world().database();
    await db.run('UPDATE tasks SET deadline_at = UTC_TIMESTAMP(3) WHERE job_id = ?', [job]);
    await db.run('UPDATE jobs SET deadline_at = UTC_TIMESTAMP(3) WHERE id = ?', [job]);
    const { state, reason } = (await ended(world(), job)).get(often.id)!;
    assert.equal(state, 'expired');
    assert.match(reason ?? '', /^the host was held by op_\S+: a disk is changed$/);
    await world().call('unhold_server', { on: [often.id] });
  });

  test('by its owner’s file is one of which no operator can end the hold', async () => {
    ownerHolds(often, 'a backup runs,\nask Wang\n');
    const reason = 'a backup runs, ask Wang';
    await until('its heartbeat to tell', async () => (await hostOf(often)).ownerHold === reason);
    const job = await rotate(often);
    await waits(job, often);
    const tried = await outcomeOf(world(), 'host', 'unhold', often.id);
    assert.deepEqual(tried, {
      code: 0,
      out: '1 host, 0 of them no longer held\n',
      err: `mega: ${often.id} is held by its owner, who has to remove its file etc/hold: ${reason}\n`,
    });
    assert.match(
      await world().mega('host', 'show', often.id),
      /^held +by its owner, .*: a backup runs, ask Wang$/m,
    );
    const asked = promisify(execFile)(often.home.loader, ['upgrade']);
    await assert.rejects(
      asked,
      /the owner of this host lets nothing happen on it: a backup runs, ask Wang; remove/,
    );
    await waits(job, often);
    rmSync(often.home.hold);
    assert.equal(told((await ended(world(), job)).get(often.id)), 'succeeded  1.0.0');
    assert.equal((await hostOf(often)).ownerHold, null);
  });

  test('refuses what was ordered before the dispatcher heard of it, with the reason', async () => {
    ownerHolds(seldom, '');
    const task = (await ended(world(), await rotate(seldom))).get(seldom.id) as TaskView;
    assert.equal(task.state, 'rejected');
    assert.equal(task.reason, 'its owner holds this host (etc/hold): no reason is given');
    assert.equal(await pinged(seldom), 'succeeded');
    assert.equal((await hostOf(seldom)).ownerHold, null);
    await seldom.stop();
    await until('its hello to tell', async () => (await hostOf(seldom)).ownerHold === 'no reason is given');
    const job = await rotate(seldom);
    await waits(job, seldom);
    rmSync(seldom.home.hold);
    await seldom.stop();
    assert.equal(told((await ended(world(), job)).get(seldom.id)), 'succeeded  1.0.0');
  });

  test('ends the upgrade that was under way when the hold came', async () => {
    await world().publish('1.1.0');
    addCheck(often, '10-hold', 'echo a backup runs >etc/hold');
    const job = await upgrade(world(), '1.1.0', [often.id]);
    assert.equal(told((await ended(world(), job)).get(often.id)), 'succeeded completed 1.1.0');
    assert.equal((await hostOf(often)).ownerHold, 'a backup runs');
    rmSync(often.home.hold);
  });

  test('may not be held without a reason, nor until a time that is over', async () => {
    const hold = (...more: string[]) => exitOf(world(), 'host', 'hold', often.id, ...more);
    assert.equal((await hold()).code, 2);
    const over = await hold('--reason', 'x', '--until', '2020-01-01T02:00');
    assert.deepEqual(over, {
      code: 2,
      err: 'mega: 2020-01-01T02:00:00.000Z is over: give a time that is to come\n',
    });
    const odd = await hold('--reason', 'x', '--until', 'noon');
    assert.equal(odd.code, 2);
    assert.match(
      odd.err,
      /It must be a duration such as 8h, or a time such as 2026-12-01T02:00; see --help\n$/,
    );
  });
});
