import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startServers } from '../dev/servers.ts';
import { type Conn, conn, type Params, type Queryable, type Server } from '../src/lib/conn.ts';
import { sleep } from '../src/lib/utils.ts';

const name = `conn_${randomBytes(4).toString('hex')}`;
const opened = new AsyncDisposableStack();
let url = '';
let db: Conn;

before(async () => {
  const { mariadb } = opened.use(await startServers({ folder: '.mega/test' }));
  const server = opened.use(conn(mariadb.url));
  await server.run(`CREATE DATABASE ${name}`);
  opened.defer(async () => void (await server.run(`DROP DATABASE ${name}`)));
  url = `${mariadb.url}/${name}`;
  db = opened.use(conn(url));
  await db.run('CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL) ENGINE = InnoDB');
});
after(() => opened.disposeAsync());

test('one call gives a pool that queries, in UTC and READ COMMITTED', async () => {
  const at = await db.one<{ zone: string; at: Date }>(
    'SELECT @@session.time_zone AS zone, UTC_TIMESTAMP(3) AS at',
  );
  assert.equal(at?.zone, '+00:00');
  assert.ok(Math.abs(Date.now() - at!.at.getTime()) < 60_000, 'dates are UTC');
  const level = await db.one<Record<string, string>>("SHOW SESSION VARIABLES LIKE 't%_isolation'");
  assert.equal(level?.Value, 'READ-COMMITTED');
});

test('rows are inserted in bulk, read back, and counted', async () => {
  assert.equal(
    await db.run('INSERT INTO t (id, n) VALUES ?', [
      [
        [1, 10],
        [2, 20],
      ],
    ]),
    2,
  );
  assert.deepEqual(await db.query('SELECT n FROM t WHERE id IN (?) ORDER BY id', [[1, 2]]), [
    { n: 10 },
    { n: 20 },
  ]);
  assert.equal(await db.one('SELECT n FROM t WHERE id = ?', [9]), undefined);
});

test('a transaction that fails leaves nothing behind', async () => {
  const failing = db.transaction(async (tx) => {
    await tx.run('UPDATE t SET n = 99 WHERE id = 1');
    throw new Error('changed my mind');
  });
  await assert.rejects(failing, /changed my mind/);
  assert.deepEqual(await db.one('SELECT n FROM t WHERE id = 1'), { n: 10 });
});

test('of two transactions that lock each other out, the one the server ends is run again', async () => {
  const both = Promise.withResolvers<void>();
  let first = 0;
  const cross = (a: number, b: number) =>
    db.transaction(async (tx) => {
      await tx.run('UPDATE t SET n = n + 1 WHERE id = ?', [a]);
      if (++first === 2) both.resolve();
      await both.promise;
      await tx.run('UPDATE t SET n = n + 1 WHERE id = ?', [b]);
    });
  await Promise.all([cross(1, 2), cross(2, 1)]);
  assert.ok(first > 2, 'there was a deadlock');
  assert.deepEqual(await db.query('SELECT n FROM t ORDER BY id'), [{ n: 12 }, { n: 22 }]);
});

test('an error names the server, the database and the statement, and never the password', async () => {
  const secret = new URL(url).password;
  await assert.rejects(db.query('SELECT * FROM missing'), (error: Error & { code: string }) => {
    assert.equal(error.code, 'database_error');
    assert.match(error.message, new RegExp(`127.0.0.1:\\d+/${name}.*missing.*SELECT \\* FROM missing`));
    return !error.message.includes(secret);
  });
  await using wrong = conn(url.replace(secret, 'wrong-hush'));
  await assert.rejects(wrong.query('SELECT 1'), (error: Error & { code: string }) => {
    assert.equal(error.code, 'database_refused');
    return !error.message.includes('hush');
  });
  await using away = conn('mysql://u:hush@127.0.0.1:1/x');
  await assert.rejects(away.query('SELECT 1'), {
    code: 'database_unavailable',
    message: /127\.0\.0\.1:1\/x cannot be reached/,
  });
});

test('a statement that takes too long is given up, and costs the pool no connection', async () => {
  await using quick = conn(url, { timeoutMs: 300, connections: 1 });
  for (let i = 0; i < 3; i++)
    await assert.rejects(quick.query('SELECT SLEEP(1)'), { code: 'database_unavailable' });
  assert.deepEqual(await quick.transaction((tx) => tx.query('SELECT 1 AS one')), [{ one: 1 }]);
});

test('what the values are to blame for is told from what the server is', async () => {
  await assert.rejects(db.run('INSERT INTO t (id, n) VALUES (1, 1)'), { code: 'bad_data' });
  await assert.rejects(db.run("INSERT INTO t (id, n) VALUES (7, 'much')"), /much/);
  await assert.rejects(db.run('INSERT INTO nowhere VALUES (1)'), { code: 'database_error' });
});

test('names may stand for values, wherever they stand and however often', async () => {
  const sql =
    "SELECT :a AS a, ':b' AS quoted, :a + 1 AS more, @x := 2 AS x, :list_1 IN (:list) AS there -- :c";
  const row = await db.one(sql, { a: 1, list_1: 2, list: [2, 3], unused: 'x' });
  assert.deepEqual(row, { a: 1, quoted: ':b', more: 2, x: 2, there: 1 });
  const injected = "'; DROP TABLE t; -- \\";
  assert.deepEqual(await db.one('SELECT :text AS text', { text: injected }), { text: injected });
});

test('what is no value is refused by its name before anything is sent', async () => {
  const refused = (params: unknown, message: RegExp, sql = 'SELECT :a AS a') =>
    assert.rejects(db.query(sql, params as Params), { code: 'bad_argument', message });
  await refused({}, /^:a is given no value$/);
  await refused({ a: undefined }, /^:a is undefined: give null/);
  await refused({ a: { secret: 'hush' } }, /^:a is an object: give JSON\.stringify/);
  await refused({ a: Number.NaN }, /NaN/);
  await refused({ a: [] }, /an empty list/);
  await refused({ a: 1 }, /either \? or :name/, 'SELECT :a, ?');
  await refused([1, undefined], /^parameter 2 is undefined/, 'SELECT ?, ?');
});

test('an error holds no value of a parameter, however deep one looks', async () => {
  await db.run('CREATE TABLE secrets (id INT PRIMARY KEY, word VARCHAR(60) UNIQUE, n INT)');
  const hush = 'hush-4711';
  await db.run('INSERT INTO secrets VALUES (1, ?, 0)', [hush]);
  const failing = [
    db.run('INSERT INTO secrets VALUES (2, ?, 0)', [hush]),
    db.run('INSERT INTO secrets VALUES (3, :word, :n)', { word: 'x', n: hush }),
    db.run('SELECT * FORM secrets WHERE word = ? AND id = 1', [hush]),
    db.insert('secrets', [{ id: 9, word: hush }]),
    db.run('UPDATE secrets SET n = ? WHERE id = 1', [hush]),
  ];
  for (const one of await Promise.allSettled(failing)) {
    assert.equal(one.status, 'rejected');
    assert.match(String(one.reason.message), /secrets/);
    assert.doesNotMatch(inspect(one.reason, { depth: 9, showHidden: true }), /hush|4711/);
  }
});

test('many rows are inserted in few statements, all or none, and duplicates as one says', async () => {
  await db.run('CREATE TABLE big (id INT PRIMARY KEY, text VARCHAR(255), at DATETIME(3))');
  const at = new Date('2026-01-02T03:04:05.678Z');
  const rows = Array.from({ length: 2_000 }, (_, id) => ({ id, text: `${id} ' \\ é`.repeat(9), at }));
  const slow: string[] = [];
  await using watched = conn(url, { slow: { overMs: 0, tell: ({ sql }) => slow.push(sql) } });
  assert.equal(await watched.insert('big', rows, { chunkBytes: 100_000 }), 2_000);
  assert.equal(slow.filter((sql) => sql.startsWith('INSERT INTO `big`')).length, 3);
  assert.ok(slow.every((sql) => !sql.includes('é')));
  assert.deepEqual(await db.one('SELECT * FROM big WHERE id = 1999'), rows.at(-1));

  const half = (async function* () {
    yield { id: 5_000, text: 'new' };
    yield { id: 7, text: 'there already' };
  })();
  await assert.rejects(db.insert('big', half, { chunkBytes: 60 }), { code: 'bad_data' });
  assert.equal(await db.one('SELECT id FROM big WHERE id = 5000'), undefined);
  await db.insert('big', [{ id: 7, text: 'x' }, { id: 5_001 }], { duplicates: 'ignore' });
  await db.insert('big', [{ id: 8, text: 'y' }], { duplicates: 'update' });
  assert.deepEqual(await db.query('SELECT id, LEFT(text, 3) AS t FROM big WHERE id IN (7, 8, 5001)'), [
    { id: 7, t: "7 '" },
    { id: 8, t: 'y' },
    { id: 5001, t: null },
  ]);
  await assert.rejects(db.insert('big', [{ id: 1 }, { id: 2, txt: 'x' }]), {
    code: 'bad_argument',
    message: 'row 2 has "txt", which is none of the columns',
  });
  const tooLong = db.insert('big', [{ id: 9_999, text: 'x'.repeat(17 << 20) }]);
  await assert.rejects(tooLong, { code: 'too_large', message: /row 1 takes 17\.0 MB.*max_allowed_packet/ });
});

test('a large result is read row by row in constant memory, and may be left early', async () => {
  const sql = "SELECT seq AS id, REPEAT('x', 200) AS pad FROM seq_1_to_200000";
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  let [count, most] = [0, 0];
  for await (const { id } of db.stream<{ id: number }>(sql)) {
    count++;
    if (id % 50_000 === 0) most = Math.max(most, held());
  }
  assert.equal(count, 200_000);
  assert.ok(most - before < 8 << 20, `${(most - before) >> 20} MB more for 45 MB of rows`);

  await using one = conn(url, { connections: 1 });
  for await (const row of one.stream<{ id: number }>(sql)) if (row.id === 3) break;
  await one.transaction(async (tx) => {
    for await (const row of tx.stream<{ id: number }>('SELECT seq AS id FROM seq_1_to_1000'))
      if (row.id === 3) break;
    assert.deepEqual(await tx.one('SELECT 1 AS one'), { one: 1 });
  });
  const wrong = async () => {
    for await (const row of one.stream('SELECT * FROM missing WHERE a = ?', ['hush']))
      assert.fail(String(row));
  };
  await assert.rejects(wrong, { code: 'database_error', message: /missing/ });
});

test('a stream of which no row comes is given up, and one that is read slowly is not', async () => {
  await using quick = conn(url, { timeoutMs: 300 });
  const read = async (sql: string, pauseMs = 0) => {
    let count = 0;
    for await (const _ of quick.stream(sql)) {
      count++;
      if (pauseMs > 0) await sleep(pauseMs);
    }
    return count;
  };
  await assert.rejects(read('SELECT SLEEP(2) AS s'), {
    code: 'database_unavailable',
    message: /no row from/,
  });
  assert.equal(await read('SELECT seq FROM seq_1_to_2', 500), 2);
});

test('a slow statement is told to whoever asked for it, without its parameters', async () => {
  const told: unknown[] = [];
  const logger = { warn: (fields: object, text: string) => told.push({ ...fields, text }) };
  await using watched = conn(url, { slow: { overMs: 40, tell: logger } });
  await watched.query('SELECT SLEEP(0.05), ? AS word', ['hush']);
  await watched.query('SELECT 1');
  const [slow] = told as { ms: number }[];
  assert.equal(told.length, 1);
  assert.ok(slow!.ms >= 40);
  const rest = { sql: 'SELECT SLEEP(0.05), ? AS word', database: new URL(url).host + new URL(url).pathname };
  assert.deepEqual(slow, { ...rest, ms: slow!.ms, text: 'a slow statement' });
});

test('reading goes to the replica, to the server itself while that is away, and never writes', async () => {
  const other = `${name}_replica`;
  await db.run(`CREATE DATABASE ${other}`);
  try {
    const replica = url.replace(name, other);
    await using both = conn(url, { replica });
    assert.deepEqual(await both.replica.one('SELECT DATABASE() AS d'), { d: other });
    assert.deepEqual(await both.one('SELECT DATABASE() AS d'), { d: name });
    await using away = conn(url, { replica: 'mysql://u:p@127.0.0.1:1/x' });
    assert.deepEqual(await away.replica.one('SELECT DATABASE() AS d'), { d: name });
    const rows: unknown[] = [];
    for await (const row of away.replica.stream('SELECT DATABASE() AS d')) rows.push(row);
    assert.deepEqual(rows, [{ d: name }]);
    for (const one of [both, away, db])
      await assert.rejects(one.replica.query('UPDATE t SET n = 0'), { message: /READ ONLY transaction/i });
  } finally {
    await db.run(`DROP DATABASE ${other}`);
  }
});

test('where the database is may be said by an object, an option file, or the environment', async () => {
  const { hostname: host, port, username: user, password } = new URL(url);
  const file = join(mkdtempSync(join(tmpdir(), 'mega-conn-')), 'my.cnf');
  const lines = [
    ...['# of the tests', '[client]', `user = ${user}`, `password="${password}" # hush`, `host=${host}`],
    ...[`port=${port}`, '[mysqld]', 'port=1', '[client-mega]', 'database=nowhere', `!include ${file}.more`],
  ];
  writeFileSync(file, lines.join('\n'));
  writeFileSync(`${file}.more`, `[client]\nloose_database = ${name}\n`);
  const ways: [Server | undefined, NodeJS.ProcessEnv?][] = [
    [{ host, port: Number(port), user, password, database: name }],
    [{ optionFile: file }],
    [undefined, { MEGA_MYSQL: url }],
    [undefined, { MEGA_MYSQL_FILE: file }],
  ];
  for (const [where, environment = {}] of ways) {
    Object.assign(process.env, environment);
    try {
      await using one = conn(where);
      assert.deepEqual(await one.one('SELECT DATABASE() AS d'), { d: name });
    } finally {
      for (const variable of Object.keys(environment)) delete process.env[variable];
    }
  }
  await using elsewhere = conn({ optionFile: file, group: 'client-mega', host: '127.0.0.1', port: 1 });
  await assert.rejects(elsewhere.query('SELECT 1'), { message: /127\.0\.0\.1:1\/nowhere cannot be reached/ });
  assert.throws(() => conn(), { code: 'no_config', message: /MEGA_MYSQL/ });
  assert.throws(() => conn('postgres://a:hush@b'), { code: 'bad_argument', message: /^(?!.*hush)/ });
  assert.throws(() => conn({ optionFile: '/nowhere/my.cnf' }), { code: 'bad_config' });
});

test('closing waits for what is under way, refuses what comes after, and may be done twice', async () => {
  const one = conn(url, { connections: 1 });
  let done = false;
  const working = one.transaction(async (tx) => {
    await tx.query('SELECT SLEEP(0.2)');
    await tx.run('UPDATE t SET n = n WHERE id = 1');
    done = true;
  });
  await one.query('SELECT 1').catch(() => undefined);
  await Promise.all([one.close(), one.close()]);
  assert.ok(done);
  await working;
  await assert.rejects(one.query('SELECT 1'), { code: 'closed' });
});

describe('a transaction', () => {
  test('runs again when its connection is lost before COMMIT, and is not run twice after it', async () => {
    let tries = 0;
    const killed = async (tx: Queryable) => {
      const me = await tx.one<{ id: number }>('SELECT CONNECTION_ID() AS id');
      await db.run('KILL ?', [me!.id]).catch(() => undefined);
    };
    await db.transaction(async (tx) => {
      await tx.run('UPDATE t SET n = 100 + ? WHERE id = 1', [++tries]);
      if (tries === 1) await killed(tx).then(() => tx.query('SELECT 1'));
    });
    assert.equal(tries, 2);
    assert.deepEqual(await db.one('SELECT n FROM t WHERE id = 1'), { n: 102 });

    let runs = 0;
    const lost = (idempotent: boolean) =>
      db.transaction(
        async (tx) => {
          await tx.run('UPDATE t SET n = n + 1 WHERE id = 1');
          if (++runs % 2 === 1) await killed(tx); // COMMIT is what meets the end of it
        },
        { idempotent },
      );
    await assert.rejects(lost(false), { code: 'database_commit_unknown', name: 'UnavailableError' });
    assert.equal(runs, 1);
    runs = 0;
    await lost(true);
    assert.equal(runs, 2);
  });

  test('that a deadlock has ended does nothing more, even where its work passes over the error', async () => {
    await using two = conn(url, { connections: 2 });
    await two.run('UPDATE t SET n = 0');
    const held = Promise.withResolvers<void>();
    let met = 0;
    const cross = (a: number, b: number) =>
      two.transaction(
        async (tx) => {
          await tx.run('UPDATE t SET n = n + 1 WHERE id = ?', [a]);
          if (++met === 2) held.resolve();
          await held.promise;
          await tx.run('UPDATE t SET n = n + 1 WHERE id = ?', [b]).catch(() => undefined);
          await tx.run('UPDATE t SET n = n + 10 WHERE id = ?', [a]);
        },
        { retries: 0 },
      );
    const ends = await Promise.allSettled([cross(1, 2), cross(2, 1)]);
    assert.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const [sum] = await two.query<{ n: string }>('SELECT SUM(n) AS n FROM t');
    assert.equal(Number(sum!.n), 12);
  });

  test('is over for whoever kept hold of it', async () => {
    let kept: Queryable | undefined;
    await db.transaction(async (tx) => {
      kept = tx;
    });
    await assert.rejects(kept!.run('UPDATE t SET n = 1'), { code: 'transaction_over' });
  });
});
