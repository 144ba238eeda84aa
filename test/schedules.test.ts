import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { ServerProcess } from '../dev/servers/process.ts';
import { until } from '../dev/world/until.ts';
import type { Conn } from '../src/lib/conn.ts';
import { hashPassword } from '../src/lib/management.ts';
import { megaHere } from './support/mega.ts';
import { Person } from './support/people.ts';
import { useWorld } from './support/world.ts';

type Firing = { dueAt: string; state: string; job: string | null; reason: string | null };
type Shown = {
  state: string;
  nextAt: string | null;
  next: { local: string; note: string | null }[];
  firings: Firing[];
};

/** Hosts that never come make jobs that last; what becomes of a time does not depend on its hosts. */
describe('jobs are made later, or again and again', () => {
  const world = useWorld();
  let second: ServerProcess;
  let db: Conn;
  let host: string;

  before(async () => {
    second = await world().startDispatcher();
    db = world().database();
    host = await addHost('a');
  });

  const addHost = async (letter: string) => {
    const id = `${world().name}-${letter}`;
    await world().call('add_server', { host: id, passwordHash: hashPassword(id) });
    return id;
  };
  const add = (name: string, more: object = {}) => {
    const what = { fn: 'rotate_secret', args: { on: [host] } };
    return world().call<Shown>('add_schedule', {
      name,
      when: 'day 02:00',
      zone: 'Europe/Berlin',
      ...what,
      ...more,
    });
  };
  /** Its time has come, so long ago. */
  const due = (names: string[], agoMs = 0) =>
    db.run('UPDATE schedules SET next_due_at = UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND WHERE name IN (?)', [
      agoMs * 1000,
      names,
    ]);
  const show = (name: string) => world().call<Shown>('get_schedule', { name });
  const fired = (name: string, count = 1): Promise<Firing> =>
    until(`${name} to fire`, async () => {
      const { firings } = await show(name);
      return firings.length >= count && firings[0]!.state !== 'due' ? firings[0] : undefined;
    });
  const jobsOf = (name: string) =>
    db.query<{ id: string; createdBy: string; target: string }>(
      'SELECT j.id, j.created_by AS createdBy, j.target FROM jobs j JOIN schedules s ON s.id = j.schedule_id WHERE s.name = ?',
      [name],
    );

  test('of two dispatchers one fires, in the name of the owner, on the hosts that are there then', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `many-${i}`);
    for (const name of names) await add(name, { args: { on: ['all'] }, fn: 'ping' });
    await addHost('b');
    await due(names);
    for (const name of names) assert.equal((await fired(name)).state, 'made', name);
    for (const name of names) {
      const jobs = await jobsOf(name);
      assert.equal(jobs.length, 1, name);
      assert.equal(jobs[0]!.createdBy, `op_${world().name}`);
    }
    const all = await db.query<{ type: string }>("SELECT type FROM jobs WHERE type = 'ping'");
    assert.equal(all.length, names.length, 'and no job is left over');
    const [first] = await jobsOf(names[0]!);
    const tasks = await world().call<object[]>('get_all_task', { job: first!.id });
    assert.equal(tasks.length, 2);
    const audit = await world().call<{ fn: string; from: { program: string } | null }[]>('get_all_audit', {});
    assert.ok(audit.some((one) => one.fn === 'ping' && one.from?.program === 'schedule many-0'));
  });

  test('a dispatcher that died after its claim leaves the job to another, which makes it once', async () => {
    await add('claimed');
    await due(['claimed']);
    const { job } = await fired('claimed');
    const [row] = await db.query<{ id: string }>("SELECT id FROM schedules WHERE name = 'claimed'");
    // What it leaves when it dies before it has told that the job is there ...
    const asDead = `state = 'due', job_id = NULL, lease_owner = ?, lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND`;
    await db.run(`UPDATE firings SET ${asDead} WHERE schedule_id = ?`, [crypto.randomUUID(), row!.id]);
    assert.deepEqual(await fired('claimed').then((again) => [again.state, again.job]), ['made', job]);
    assert.equal((await jobsOf('claimed')).length, 1);
    // ... and before it has made it.
    await add('unmade');
    await db.run(
      `INSERT INTO firings (schedule_id, due_at, state, fired_at, lease_owner, lease_until)
       SELECT id, UTC_TIMESTAMP(3), 'due', UTC_TIMESTAMP(3), ?, UTC_TIMESTAMP(3) - INTERVAL 1 SECOND
       FROM schedules WHERE name = 'unmade'`,
      [crypto.randomUUID()],
    );
    assert.equal((await fired('unmade')).state, 'made');
    assert.equal((await jobsOf('unmade')).length, 1);
  });

  test('a time while nobody fired is left out or made up for, as the rule says, and told', async () => {
    const run = { missed: 'run', graceMs: 3 * 3_600_000 };
    await add('left-out');
    await add('made-up-for', run);
    await add('too-late', { ...run, graceMs: 3_600_000 });
    const names = ['left-out', 'made-up-for', 'too-late'];
    await due(names, 2 * 3_600_000);
    const states = await Promise.all(names.map(async (name) => (await fired(name)).state));
    assert.deepEqual(states, ['missed', 'made', 'missed']);
    assert.match((await fired('left-out')).reason!, /nobody could fire it in time/);
    assert.match((await fired('made-up-for')).reason!, /made up for, 2 h 00 m late/);
    const alerts = await world().call<{ about: string; text: string }[]>('get_all_alert', {
      kind: 'schedule_missed',
    });
    const told = (name: string) => alerts.find((one) => one.about === name)?.text;
    assert.match(told('left-out')!, /was missed: nobody could fire it in time/);
    assert.match(told('made-up-for')!, /is made up for, 2 h 00 m late/);
  });

  test('while all is frozen only pings are fired; what was to come then is missed', async () => {
    await add('frozen');
    await add('pings', { fn: 'ping' });
    await world().call('freeze', { reason: 'a test' });
    await due(['frozen', 'pings']);
    assert.equal((await fired('pings')).state, 'made');
    assert.deepEqual((await show('frozen')).firings, [], 'though it was due as well');
    await due(['frozen'], 120_000);
    await world().call('unfreeze');
    assert.equal((await fired('frozen')).state, 'missed');
  });

  test('a time is skipped while the job of the time before has not ended', async () => {
    await add('again');
    await due(['again']);
    const { job } = await fired('again');
    await due(['again']);
    const next = await fired('again', 2);
    assert.equal(next.state, 'skipped');
    assert.match(next.reason!, new RegExp(`${job}.* has not ended`));
    const { job: now } = await world().call<{ job: string }>('run_schedule_now', { name: 'again' });
    assert.notEqual(now, job, 'an operator who asks for it gets it');
    assert.equal((await jobsOf('again')).length, 2);
  });

  test('what its owner may do is looked up when it fires: a removed user fires no more, and that is told', async () => {
    await using alice = await Person.add(world(), 'alice', 'operator');
    const request = { name: 'hers', when: 'day 02:00', fn: 'ping', args: { on: ['all'] } };
    await alice.call('add_schedule', request);
    await world().call('del_user', { name: alice.name });
    await due(['hers']);
    const { state, reason } = await fired('hers');
    assert.equal(state, 'failed');
    assert.match(reason!, new RegExp(`in the name of op_${alice.name}, who may not call ping any more`));
    assert.equal((await jobsOf('hers')).length, 0);
  });

  test('what cannot be fired is refused when it is saved', async () => {
    const refused = (name: string, more: object, code: string) =>
      assert.rejects(add(name, more), { code }, name);
    await refused('unknown', { fn: 'no_such' }, 'unknown_function');
    await refused('no-job', { fn: 'get_all_server' }, 'unknown_function');
    await refused('no-hosts', { fn: 'client_upgrade', args: { to: '1.0.0' } }, 'bad_argument');
    await refused('wrong', { args: { on: [host], limits: { wawes: [1] } } }, 'bad_argument');
    await refused('over', { when: '2020-01-01 02:00' }, 'bad_when');
    await refused('never', { when: '0 0 30 2 *' }, 'bad_when');
    await refused('nowhere', { zone: 'CST' }, 'bad_zone');
    await refused('claimed', {}, 'name_taken');
    await using bob = await Person.add(world(), 'bob', 'viewer');
    await assert.rejects(bob.call('add_schedule', { name: 'x' }), { code: 'refused' });
  });

  test('the command line shows the next five times before it saves, and pauses, resumes, runs and removes', async () => {
    const mega = (...args: string[]) => megaHere(world(), ...args);
    const what = ['--', 'upgrade', '--to', '1.0.0', '--on', 'all', '--waves', '1,10%'];
    const shown = await mega(
      'schedule',
      'add',
      'cli',
      '--every',
      'day 02:30',
      '--zone',
      'Europe/Berlin',
      '--dry-run',
      ...what,
    );
    assert.equal(shown.code, 0, shown.err);
    assert.equal(shown.out.match(/\d 02:30 \+0[12]:00/g)?.length, 5, shown.out);
    assert.match(shown.out, /Nothing was saved/);
    await mega('schedule', 'add', 'cli', '--every', 'day 02:30', ...what);
    const { args, missed } = await world().call<{ args: object; missed: string }>('get_schedule', {
      name: 'cli',
    });
    assert.deepEqual(args, { to: '1.0.0', on: ['all'], trial: {}, limits: { waves: [1, '10%'] } });
    assert.equal(missed, 'skip');
    assert.match((await mega('schedule', 'list')).out, /cli +active .*upgrade to 1\.0\.0 on all/);
    assert.equal((await mega('schedule', 'pause', 'cli')).code, 0);
    assert.equal((await show('cli')).nextAt, null);
    assert.match((await mega('schedule', 'resume', 'cli')).out, /fires next at .* 02:30/);
    assert.match((await mega('schedule', 'show', 'cli')).out, /NEXT[\s\S]*02:30/);
    assert.match((await mega('schedule', 'next', 'cli', '--count', '2', '--json')).out, /local/);
    assert.equal((await mega('schedule', 'remove', 'cli')).code, 0);
    assert.equal((await mega('schedule', 'show', 'cli')).code, 2);
    await mega('schedule', 'add', 'now', '--every', 'day 02:30', '--', 'ping', '--on', host);
    assert.match((await mega('schedule', 'run', 'now')).out, /^job [0-9a-f-]{36}/);
  });

  test('an upgrade at a time becomes a schedule that fires once', async () => {
    const mega = (...args: string[]) => megaHere(world(), ...args);
    const { code, out, err } = await mega(
      'upgrade',
      '--to',
      '1.0.0',
      '--on',
      'all',
      '--at',
      'in 2s',
      '--json',
    );
    assert.equal(code, 0, err);
    const { name } = JSON.parse(out) as { name: string };
    const { state, reason } = await fired(name);
    assert.deepEqual(
      [state, reason?.includes('1.0.0')],
      ['failed', true],
      'that version was never published',
    );
    assert.equal((await show(name)).state, 'done');
    const bad = await mega('upgrade', '--on', 'all', '--at', '2027-03-28 25:00');
    assert.equal(bad.code, 2);
    assert.match(bad.err, /is no time/);
  });

  test('a dispatcher that is killed while it fires leaves each time with exactly one job', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `kill-${i}`);
    for (const name of names) await add(name, { fn: 'ping' });
    await due(names);
    const made = async () =>
      (
        await db.query(
          "SELECT due_at FROM firings f JOIN schedules s ON s.id = f.schedule_id WHERE s.name LIKE 'kill-%' AND f.state = 'made'",
        )
      ).length;
    await until('some to have fired', async () => (await made()) > 0, { pollMs: 5 });
    await second.killAll();
    await db.run("UPDATE firings SET lease_until = UTC_TIMESTAMP(3) WHERE state = 'due'"); // as if its time were over
    await until('all to have fired', async () => (await made()) === names.length);
    for (const name of names) assert.equal((await jobsOf(name)).length, 1, name);
    const jobs = await db.query(
      "SELECT id FROM jobs WHERE call_key LIKE '%:schedule %' AND schedule_id IS NULL",
    );
    assert.equal(jobs.length, 0);
  });
});
