import assert from 'node:assert/strict';
import { hostname, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { storeFolder } from '../dev/sql.ts';
import { source } from '../dev/structure/source.ts';
import { readTree } from '../dev/structure/tree.ts';
import type { AuditedCall, AuditLink } from '../src/cli/answers.ts';
import { functions } from '../src/dispatcher/api/registry.ts';
import { argsOf } from '../src/dispatcher/audit.ts';
import { brokenAt, FIRST_LINK, linkOf } from '../src/dispatcher/chain.ts';
import { auditAfter } from '../src/dispatcher/store/audit.ts';
import { hashPassword, newSecret } from '../src/lib/management.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { asOwnerOf, Person } from './support/people.ts';
import { ended, useWorld } from './support/world.ts';

const hash = () => hashPassword(newSecret());

describe('the audit', () => {
  const world = useWorld({}, { dispatchers: 2 });
  const list = (...filter: string[]) => world().json<AuditedCall[]>('audit', 'list', ...filter);
  const verify = (...args: string[]) => asOwnerOf(world().operatorConfig, 'audit', 'verify', ...args);

  async function lastOf(fn: string): Promise<AuditedCall> {
    const [last] = await list('--fn', fn, '--limit', '1');
    assert.ok(last, `no call of ${fn} was recorded`);
    return last;
  }

  test('tells who changed what, when, from where, on which hosts, and how it ended', async () => {
    const { name } = world();
    await world().addFleet([`${name}-a`, `${name}-b`], '1.0.0');
    await world().mega('ping', '--on', `${name}-*`);
    const ping = await lastOf('ping');
    assert.deepEqual(
      { who: ping.who, role: ping.role, args: ping.args, target: ping.target, hosts: ping.hosts },
      { who: `op_${name}`, role: 'admin', args: { on: [`${name}-*`] }, target: `${name}-*`, hosts: 2 },
    );
    assert.equal(ping.outcome, 'ok');
    assert.ok(ping.job);
    const ourselves = { host: hostname().split('.')[0]!.toLowerCase(), user: userInfo().username };
    assert.deepEqual(ping.from, { ...ourselves, program: 'mega' });
    const [clock] = await world().database().query<{ now: Date }>('SELECT UTC_TIMESTAMP(3) AS now');
    assert.ok(Math.abs(clock!.now.getTime() - Date.parse(ping.at)) < 30_000);

    const byHost = await list('--host', `${name}-b`, '--since', '1h');
    assert.deepEqual(
      byHost.map((one) => one.fn),
      ['ping', 'add_server'],
    );
    assert.deepEqual(
      (await list('--host', `${name}-a`, '--who', name, '--fn', 'add_server'))[0]?.target,
      `${name}-a`,
    );
    assert.deepEqual(await list('--who', 'somebody'), []);
    assert.match(
      await world().mega('audit', 'list', '--fn', 'ping'),
      new RegExp(`${name}-\\* \\(2\\) +ok +\\S+@\\S+ mega`),
    );

    const job = await world().call<{ job: string }>('ping', { on: [`${name}-a`] });
    await ended(world(), job.job);
    const [task] = await world().call<{ id: string }[]>('get_all_task', { job: job.job });
    await world().call('cancel_task', { id: task!.id });
    assert.equal((await lastOf('cancel_task')).target, `${name}-a`, 'a task concerns its host');
  });

  test('tells what failed, with the code, and what was refused, to people that the fleet does not know, too', async () => {
    await world()
      .call('del_server', { host: 'nobody' })
      .catch(() => undefined);
    assert.equal((await lastOf('del_server')).outcome, 'unknown_host');
    await world()
      .call('ping', { on: 'all' })
      .catch(() => undefined);
    assert.equal((await lastOf('ping')).outcome, 'bad_argument');
    await using viewer = await Person.add(world(), 'viewer', 'viewer');
    await viewer.mega('host', 'remove', `${world().name}-a`);
    await viewer.mega('api', 'call', 'drop_all_tables');
    const refused = await list('--who', viewer.name);
    assert.deepEqual(
      refused.map(({ fn, role, outcome }) => `${fn} ${role} ${outcome}`),
      ['drop_all_tables viewer unknown_function', 'del_server viewer refused'],
    );
    await using token = await viewer.addToken('ci', 'viewer');
    await token.mega('user', 'list');
    assert.deepEqual(
      (await list('--who', viewer.name))[0]?.who,
      token.login,
      'a token of theirs counts as them',
    );
    await world().database().run('DELETE FROM users WHERE name = ?', [viewer.name]);
    await viewer.call('get_all_server').catch(() => undefined); // what is believed of it ends within a second
    const stranger = async () => {
      await viewer.call('get_all_server').catch(() => undefined);
      return (await list('--who', viewer.name)).find((one) => one.role === 'unknown');
    };
    let found: AuditedCall | undefined;
    for (let tries = 0; tries < 20 && !found; tries++) found = await stranger();
    assert.deepEqual([found?.fn, found?.outcome], ['get_all_server', 'refused']);
  });

  test('has nothing of who only looks, and nothing of what hosts say', async () => {
    const before = await list();
    await world().mega('host', 'list');
    await world().call('get_all_funcs');
    const after = await list();
    assert.deepEqual(after, before);
    const hosts = await world()
      .database()
      .query("SELECT who FROM audit WHERE role = 'agent' OR who NOT LIKE 'op#_%' ESCAPE '#'");
    assert.deepEqual(hosts, []);
  });

  test('holds no secret, and is bounded', async () => {
    const name = `${world().name}-secret`;
    const passwordHash = hash();
    await world().call('add_user', { name, role: 'viewer', passwordHash });
    await world().call('del_user', { name });
    assert.equal((await lastOf('add_user')).args?.passwordHash, '***');
    const rows = JSON.stringify(await world().database().query('SELECT * FROM audit'));
    assert.ok(!rows.includes(passwordHash.slice(0, 20)));
    const secrets = {
      token: 't',
      secret: 's',
      args: { password: 'p', deep: [{ secretSha256: 'h', machine: 'm' }] },
    };
    assert.ok(!/"[tsphm]"/.test(argsOf(secrets)), argsOf(secrets));
    assert.deepEqual(JSON.parse(argsOf({ sha256: 'kept', last: true })), { sha256: 'kept', last: true });

    const on = Array.from({ length: 4_000 }, (_, i) => `no-such-host-${i}-${'x'.repeat(100)}`);
    await world()
      .call('ping', { on })
      .catch(() => undefined);
    const long = await lastOf('ping');
    assert.equal(long.outcome, 'unknown_host');
    assert.ok(JSON.stringify(long).length < 6_000);
    const strange = `a'; DROP TABLE audit; -- \ud800 \u0000 🦊 \\`;
    await world()
      .call('ping', { on: [strange] })
      .catch(() => undefined);
    assert.deepEqual((await lastOf('ping')).args, { on: [strange.toWellFormed()] });
    assert.equal((await verify()).code, 0);
  });

  test('is written before a change is made: what cannot be written down is not done', async () => {
    const db = world().database();
    const host = `${world().name}-unwritten`;
    const jobs = () => db.query('SELECT id FROM jobs');
    const before = await jobs();
    await db.run('RENAME TABLE audit TO audit_away');
    try {
      await assert.rejects(world().call('ping', { on: ['all'] }), /the dispatcher failed; its log says why/);
      await assert.rejects(world().call('add_server', { host, passwordHash: hash() }));
      const user = { name: host, role: 'viewer', passwordHash: hash() };
      await assert.rejects(world().call('add_user', user));
      assert.ok((await world().call<unknown[]>('get_all_server')).length > 0, 'looking needs no audit');
    } finally {
      await db.run('RENAME TABLE audit_away TO audit');
    }
    assert.deepEqual(await jobs(), before);
    assert.equal((await verify()).code, 0);
    for (const broken of [host, `op_${host}`]) assert.ok(!(await world().management.hasUser(broken)), broken);
    const known = await db.query(
      'SELECT id FROM hosts WHERE id = ? UNION SELECT name FROM users WHERE name = ?',
      [host, host],
    );
    assert.deepEqual(known, []);
  });

  test('is one chain, however many write at once through two dispatchers', async () => {
    await using admin = await Person.add(world(), 'busy', 'admin');
    const began = performance.now();
    const calls = Array.from({ length: 100 }, (_, i) =>
      (i % 2 ? admin.call : world().call.bind(world()))('cancel_task', { id: uuidv7() }).catch(
        () => undefined,
      ),
    );
    await Promise.all(calls);
    assert.ok(performance.now() - began < 60_000);
    assert.equal((await list('--fn', 'cancel_task', '--since', '5m', '--limit', '1000')).length >= 100, true);
    const { code, out } = await verify();
    assert.equal(code, 0);
    assert.match(out, /^\d+ rows follow from one another\n.*--known \d+:[0-9a-f]{64}\n$/s);
  });

  describe('when somebody changes it in the database', () => {
    let known = '';
    let last: AuditLink = { id: 0, sha256: FIRST_LINK };

    beforeEach(async () => {
      await world()
        .call('cancel_task', { id: uuidv7() })
        .catch(() => undefined);
      known = (await world().json<{ known: string }>('audit', 'verify')).known;
      const [id, sha256] = known.split(':');
      last = { id: Number(id), sha256: sha256! };
    });

    /** What the server held before, to be put back, so that the next test begins with a whole chain. */
    async function tampered(statement: string, params: (string | number)[], ...args: string[]) {
      const db = world().database();
      await db.run('DROP TABLE IF EXISTS kept, kept_head');
      await db.run('CREATE TABLE kept AS SELECT * FROM audit');
      await db.run('CREATE TABLE kept_head AS SELECT * FROM audit_head');
      for (const one of statement.split(';')) await db.run(one, params.splice(0, one.split('?').length - 1));
      try {
        return await verify(...args);
      } finally {
        await db.run('DELETE FROM audit');
        await db.run('DELETE FROM audit_head');
        await db.run('INSERT INTO audit SELECT * FROM kept');
        await db.run('INSERT INTO audit_head SELECT * FROM kept_head');
      }
    }

    const columns: [column: string, value: string][] = [
      ['who', "'op_other'"],
      ['at', 'at + INTERVAL 1 SECOND'],
      ['role', "'viewer'"],
      ['fn', "'ping'"],
      ['args', "'{}'"],
      ['origin', 'NULL'],
      ['sha256', "REPEAT('a', 64)"],
    ];
    test('any column of any row: verify names the row', async () => {
      for (const [column, value] of columns) {
        const { code, err } = await tampered(`UPDATE audit SET ${column} = ${value} WHERE id = ?`, [
          last.id - 1,
        ]);
        assert.equal(code, 1, column);
        assert.match(
          err,
          new RegExp(`^mega: the audit is not what it was: row ${last.id - 1} was changed`),
          column,
        );
      }
      const outcome = await tampered("UPDATE audit SET outcome = 'ok' WHERE id = ?", [last.id]);
      assert.match(outcome.err, new RegExp(`row ${last.id} was changed`));
    });

    test('by removing a row, or the last ones, or the head with them', async () => {
      const removed = await tampered('DELETE FROM audit WHERE id = ?', [last.id - 2]);
      assert.match(removed.err, new RegExp(`row ${last.id - 2} is missing`));
      const first = await tampered('DELETE FROM audit WHERE id = 1', []);
      assert.match(first.err, /row 1 is missing/);
      const cut = await tampered('DELETE FROM audit WHERE id >= ?', [last.id - 1]);
      assert.match(cut.err, new RegExp(`the rows from ${last.id - 1} on are missing`));
      const head =
        'UPDATE audit_head, audit SET audit_head.id = audit.id, audit_head.sha256 = audit.sha256 WHERE audit.id = ?';
      const both = `DELETE FROM audit WHERE id >= ?;${head}`;
      const whole = await tampered(both, [last.id - 1, last.id - 2]);
      assert.equal(whole.code, 0, 'the database alone cannot tell');
      const compared = await tampered(both, [last.id - 1, last.id - 2], '--known', known);
      assert.deepEqual(
        [compared.code, /is not the one that it was at an earlier check/.test(compared.err)],
        [1, true],
      );
    });

    test('and makes the whole chain anew: only what an earlier check ended with tells', async () => {
      const rows = await auditAfter(world().database(), 0, 1_000);
      const statements: string[] = [];
      const params: (string | number)[] = [];
      let previous = FIRST_LINK;
      for (const row of rows) {
        const forged = { ...row, who: row.id === 1 ? 'op_other' : row.who };
        statements.push('UPDATE audit SET who = ?, previous = ?, sha256 = ? WHERE id = ?');
        params.push(forged.who, previous, linkOf(previous, forged), row.id);
        previous = linkOf(previous, forged);
      }
      const all = [...statements, 'UPDATE audit_head SET sha256 = ?'].join(';');
      assert.equal((await tampered(all, [...params, previous])).code, 0, 'the database alone cannot tell');
      const { code, err } = await tampered(all, [...params, previous], '--known', known);
      assert.deepEqual([code, /is not the one that it was at an earlier check/.test(err)], [1, true], err);
      assert.equal((await verify('--known', known)).code, 0);
    });
  });
});

test('each function declares what it does besides answering', () => {
  const reading = /^(get_|verify_|whoami$|task_log$)/;
  for (const { name, effect } of functions.values()) {
    assert.ok(['reads', 'changes', 'part'].includes(effect), name);
    assert.equal(effect === 'reads', reading.test(name), `${name} ${effect}`);
  }
});

const tampers =
  /\b(?:UPDATE|DELETE|REPLACE|TRUNCATE|DROP|ALTER|RENAME|ON\s+DUPLICATE)\b[^;]*?\baudit\b(?!_)/i;

test('no statement of the product changes or removes a row of the audit', () => {
  const store = readTree(join(dirname(import.meta.filename), '..')).filter(({ path }) =>
    path.startsWith(storeFolder),
  );
  const statements = store.flatMap((file) => {
    const without = file.text.replace(/--.*$/gm, '');
    if (file.path.endsWith('.sql')) return without.split(';');
    const { templates } = source(file);
    return templates.map(({ parts }) => parts.map(({ start, end }) => file.text.slice(start, end)).join('?'));
  });
  assert.ok(
    statements.some((one) => /INSERT INTO audit\b/.test(one)),
    'the audit is not looked at',
  );
  assert.deepEqual(
    statements.filter((one) => tampers.test(one)),
    [],
  );
});

test('a statement that would change the audit is found', () => {
  for (const one of [
    'UPDATE audit SET who = ?',
    'delete from audit where id = ?',
    'DELETE a FROM audit a',
    'TRUNCATE TABLE audit',
  ]) {
    assert.match(one, tampers);
  }
  for (const one of [
    'UPDATE audit_head SET id = ?',
    'INSERT INTO audit (id) VALUES ?',
    'SELECT id FROM audit',
  ]) {
    assert.doesNotMatch(one, tampers);
  }
});

test('a chain is broken by whatever is changed, taken out or put in', () => {
  const plain = {
    about: null,
    who: 'op_a',
    role: 'admin',
    origin: null,
    fn: 'ping',
    args: '{}',
    target: null,
  };
  const entry = { ...plain, host: null, job: null, hosts: null, outcome: null };
  let last: AuditLink = { id: 0, sha256: FIRST_LINK };
  const rows = [1, 2, 3, 4].map((id) => {
    const whole = { ...entry, id, at: new Date(id) };
    const row = { ...whole, previous: last.sha256, sha256: linkOf(last.sha256, whole) };
    last = { id, sha256: row.sha256 };
    return row;
  });
  const start = { id: 0, sha256: FIRST_LINK };
  assert.equal(brokenAt(start, rows), undefined);
  assert.equal(brokenAt({ id: 2, sha256: rows[1]!.sha256 }, rows.slice(2)), undefined);
  assert.equal(brokenAt(start, rows.slice(1))?.id, 1);
  assert.equal(brokenAt(start, rows.toSpliced(2, 1))?.id, 3);
  assert.equal(brokenAt(start, rows.with(1, { ...rows[1]!, who: 'op_b' }))?.id, 2);
  const forged = { ...rows[1]!, who: 'op_b' };
  const again = { ...forged, sha256: linkOf(forged.previous, forged) };
  assert.equal(brokenAt(start, rows.with(1, again))?.id, 3);
});
