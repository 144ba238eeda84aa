import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type MariaDb, startMariaDb } from '../dev/servers/mariadb.ts';
import { until } from '../dev/world/until.ts';
import { type Conn, conn, type Queryable } from '../src/lib/conn.ts';
import { codeOf, UnavailableError } from '../src/lib/errors.ts';

const WORKERS = 6;

const opened = new AsyncDisposableStack();
let server: MariaDb;
let db: Conn;

before(async () => {
  server = opened.use(await startMariaDb({ folder: '.mega/test' }));
  await using first = conn(server.url);
  await first.run('CREATE DATABASE restarts');
  db = opened.use(conn(`${server.url}/restarts`, { patienceMs: 30_000 }));
  await db.run('CREATE TABLE done (work CHAR(8) PRIMARY KEY, times INT NOT NULL)');
});
after(() => opened.disposeAsync());

/** Each adds rows one after the other until `stop`; a transaction that is told to be done is in `done`. */
function load(stop: AbortSignal) {
  const [done, unknown, failed]: [string[], string[], unknown[]] = [[], [], []];
  const add = async (tx: Queryable, work: string) => {
    await tx.run('INSERT INTO done VALUES (:work, 1) ON DUPLICATE KEY UPDATE times = times + 1', { work });
  };
  const worker = async (name: number) => {
    for (let i = 0; !stop.aborted; i++) {
      const work = `${name}-${i}`;
      try {
        await db.transaction((tx) => add(tx, work));
        done.push(work);
      } catch (error) {
        if (codeOf(error) === 'database_commit_unknown') unknown.push(work);
        else failed.push(error);
      }
    }
  };
  const ended = Promise.all(Array.from({ length: WORKERS }, (_, name) => worker(name)));
  return { done, unknown, failed, ended };
}

test('a database that is restarted and killed under load costs no transaction, and none is done twice', async () => {
  const stop = new AbortController();
  const { done, unknown, failed, ended } = load(stop.signal);
  const goesOn = async () => {
    const before = done.length;
    await until('transactions to be done again', () => done.length > before + 20 * WORKERS, { pollMs: 20 });
  };
  await goesOn();
  await server.stop();
  await server.start();
  await goesOn();
  await server.kill();
  await server.start();
  await goesOn();
  stop.abort();
  await ended;

  assert.deepEqual(failed, []);
  const rows = await db.query<{ work: string; times: number }>('SELECT work, times FROM done');
  const times = new Map(rows.map((row) => [row.work, row.times]));
  assert.deepEqual(
    done.filter((work) => times.get(work) !== 1),
    [],
    'each that was said to be done is there, once',
  );
  assert.deepEqual(
    [...times].filter(([, count]) => count !== 1),
    [],
    'whose end is not known was not done twice',
  );
  assert.equal(new Set([...done, ...unknown]).size, done.length + unknown.length);
});

test('a server that is away for longer than one has patience is told, and a stream that it cuts off, too', async () => {
  await using hasty = conn(`${server.url}/restarts`, { patienceMs: 200 });
  const rows = hasty.stream('SELECT a.seq FROM seq_1_to_1000000 AS a');
  const cut = (async () => {
    let count = 0;
    for await (const _ of rows) if (++count === 1) await server.kill();
  })();
  await assert.rejects(cut, (error) => error instanceof UnavailableError);
  await assert.rejects(hasty.query('SELECT 1'), {
    code: 'database_unavailable',
    message: /cannot be reached/,
  });
  await server.start();
  assert.deepEqual(await hasty.one('SELECT 1 AS one'), { one: 1 });
});
