import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startServers } from '../dev/servers.ts';
import { type Conn, conn } from '../src/lib/conn.ts';

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
