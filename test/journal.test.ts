// The journal on real files: what it promises its own agent, the release before, and after kill -9.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Journal } from '../src/agent/journal.ts';
import type { Word } from '../src/agent/said.ts';
import { check, event, type Result, result } from '../src/lib/messages.ts';
import { scratch } from './support/durability/home.ts';
import { idOf, orderOf } from './support/durability/orders.ts';

const DAY_MS = 86_400_000;
const task = idOf(1);
const running: Word = { state: 'running', phase: 'preflight' };
const ended: Word = { state: 'succeeded', phase: 'completed' };

/** A journal in a folder of its own; both go at the end. */
function opened(): Disposable & { path: string; journal: Journal; reopen(version?: string): Journal } {
  const folder = scratch();
  const path = join(folder.path, 'journal.db');
  const open = (version = '1.0.0') => new Journal(path, 'db-01', version);
  const held = {
    path,
    journal: open(),
    reopen: (version?: string) => {
      held.journal.close();
      held.journal = open(version);
      return held.journal;
    },
    [Symbol.dispose]: () => {
      held.journal.close();
      folder[Symbol.dispose]();
    },
  };
  return held;
}

const said = (journal: Journal) => journal.unsent(100).map((one) => JSON.parse(one.body) as Result);
const ids = (journal: Journal) => journal.unsent(100).map((one) => one.id);

/** Looks into, or changes, the file as another release might; the journal must be closed. */
function inFile<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

describe('a task in the journal', () => {
  test('is accepted once, and that it was is to be told', () => {
    using held = opened();
    assert.equal(held.journal.accept(orderOf(1, { a: 1 })), true);
    assert.equal(held.journal.accept(orderOf(1, { a: 2 })), false);
    const entry = held.journal.entry(task)!;
    assert.deepEqual(entry.order.args, { a: 1 }, 'the first word stands');
    assert.deepEqual([entry.state, entry.phase, entry.seq, entry.facts], ['accepted', null, 1, {}]);
    assert.equal(held.reopen().accept(orderOf(1)), false, 'known to the next process too');
    assert.equal(held.journal.entry(idOf(2)), undefined);
  });

  test('says things of rising seq, each in the form of a message', () => {
    using held = opened();
    const { journal } = held;
    journal.accept(orderOf(1));
    journal.accept(orderOf(2));
    journal.say(task, running);
    journal.say(idOf(2), { state: 'running' });
    journal.say(task, { ...ended, output: { text: 'all well' } });
    assert.deepEqual(ids(journal), [`${task}:1`, `${idOf(2)}:1`, `${task}:2`, `${idOf(2)}:2`, `${task}:3`]);
    for (const { kind, body } of journal.unsent(100)) {
      const schema = kind === 'event' ? event : result;
      assert.equal(check(schema, JSON.parse(body)).host, 'db-01');
    }
    const last = said(journal).at(-1)!;
    assert.deepEqual(
      [last.kind, last.state, last.running, last.output],
      ['result', 'succeeded', '1.0.0', { text: 'all well' }],
    );
    const entry = journal.entry(task)!;
    assert.deepEqual([entry.state, entry.phase, entry.seq], ['ended', 'completed', 3]);
  });

  test('keeps its phase when a word names none', () => {
    using held = opened();
    held.journal.accept(orderOf(1));
    held.journal.say(task, running);
    held.journal.say(task, { state: 'running' });
    assert.equal(held.journal.entry(task)?.phase, 'preflight');
  });

  test('changes together with what is to be said of it, or not at all', () => {
    using held = opened();
    held.journal.accept(orderOf(1));
    held.journal.close();
    inFile(held.path, (db) =>
      db.exec("CREATE TRIGGER t BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END"),
    );
    const journal = held.reopen();
    assert.throws(() => journal.say(task, running, { note: 1 }), /full/);
    assert.throws(() => journal.accept(orderOf(2)), /full/);
    const { state, seq, facts } = journal.entry(task)!;
    assert.deepEqual({ state, seq, facts }, { state: 'accepted', seq: 1, facts: {} });
    assert.equal(journal.entry(idOf(2)), undefined);
    assert.deepEqual(ids(journal), [`${task}:1`]);
  });

  test('that is ordered again repeats its last word, with the seq it had', () => {
    using held = opened();
    const { journal } = held;
    journal.accept(orderOf(1));
    journal.say(task, ended);
    const before = said(journal).at(-1);
    journal.sent(journal.unsent(100).map((one) => one.n));
    assert.deepEqual(journal.unsent(100), []);
    assert.equal(journal.accept(orderOf(1)), false);
    assert.deepEqual(said(journal), [before]);
    assert.equal(journal.entry(task)?.seq, 2);
  });

  test('that ends at once is told by its end alone, and one with phases phase by phase', () => {
    using held = opened();
    const { journal } = held;
    journal.accept(orderOf(1));
    journal.say(task, { state: 'running' });
    journal.say(task, { state: 'succeeded' });
    assert.deepEqual(ids(journal), [`${task}:3`]);
    journal.accept(orderOf(2));
    journal.say(idOf(2), running);
    journal.say(idOf(2), ended);
    assert.deepEqual(
      ids(journal).slice(1),
      [1, 2, 3].map((seq) => `${idOf(2)}:${seq}`),
    );
  });

  test('that has begun comes before those that wait, whatever their ids: a new process goes on with it first', () => {
    using held = opened();
    held.journal.accept(orderOf(2), true);
    held.journal.accept(orderOf(1));
    const order = held
      .reopen()
      .open()
      .map((one) => one.order.task);
    assert.deepEqual(order, [idOf(2), idOf(1)]);
  });

  test('that has ended stays ended', () => {
    using held = opened();
    const { journal } = held;
    journal.accept(orderOf(1));
    journal.say(task, { state: 'failed', phase: 'rolled_back', reason: 'no' });
    journal.say(task, running);
    journal.say(task, ended);
    const entry = journal.entry(task)!;
    assert.deepEqual([entry.state, entry.phase, entry.seq], ['ended', 'rolled_back', 2]);
    assert.deepEqual(ids(journal), [`${task}:1`, `${task}:2`]);
    assert.deepEqual(journal.open(), []);
  });

  test('that nobody accepted is not spoken of', () => {
    using held = opened();
    held.journal.say(task, ended, { a: 1 });
    held.journal.remember(task, { a: 1 });
    assert.deepEqual([held.journal.entry(task), held.journal.unsent(100)], [undefined, []]);
  });

  test('remembers facts: they are merged, replaced, and cleared by undefined', () => {
    using held = opened();
    held.journal.accept(orderOf(1));
    held.journal.remember(task, { from: '1.0.0', verdict: 'silent', holds: 1 });
    held.journal.say(task, running, { holds: 2 });
    held.journal.remember(task, { verdict: undefined, unreachable: '' });
    const facts = held.reopen().entry(task)!.facts;
    assert.deepEqual(facts, { from: '1.0.0', holds: 2, unreachable: '' });
    assert.ok(!('verdict' in facts));
  });

  test('is open until it ends, in the order in which tasks were made', () => {
    using held = opened();
    for (const n of [3, 1, 2]) held.journal.accept(orderOf(n));
    held.journal.say(idOf(2), ended);
    assert.deepEqual(
      held
        .reopen()
        .open()
        .map((entry) => entry.order.task),
      [idOf(1), idOf(3)],
    );
  });
});

describe('what is to be told', () => {
  test('waits in the order in which it was said, until it was sent', () => {
    using held = opened();
    for (const n of [1, 2, 3]) held.journal.accept(orderOf(n));
    const [first, second] = held.journal.unsent(2);
    assert.deepEqual([first?.id, second?.id], [`${idOf(1)}:1`, `${idOf(2)}:1`]);
    held.journal.sent([second!.n, first!.n]);
    assert.deepEqual(ids(held.reopen()), [`${idOf(3)}:1`]);
    held.journal.sent([first!.n]);
    held.journal.say(idOf(1), running);
    assert.ok(held.journal.unsent(100).at(-1)!.n > 3, 'a number is not used twice');
  });

  test('that was sent is not sent again, though it leaves the file only with a later commit', () => {
    using held = opened();
    held.journal.accept(orderOf(1));
    held.journal.sent(held.journal.unsent(1).map((one) => one.n));
    assert.deepEqual(ids(held.journal), []);
    held.journal.accept(orderOf(2));
    assert.deepEqual(ids(held.journal), [`${idOf(2)}:1`]);
    held.journal.sent(held.journal.unsent(1).map((one) => one.n));
    assert.deepEqual(ids(held.reopen()), [], 'closing deletes it too');
  });

  test('is announced once it is written, an end at once and mere news when there is time', async () => {
    using held = opened();
    const urgent: boolean[] = [];
    held.journal.onUnsent = (one) => urgent.push(one);
    held.journal.accept(orderOf(1));
    held.journal.say(task, { state: 'running' });
    held.journal.say(task, running);
    held.journal.say(task, ended);
    await Promise.resolve();
    assert.deepEqual(urgent, [false, false, true, true]);
  });

  test('is announced after it is in the file', async () => {
    using held = opened();
    const { promise, resolve } = Promise.withResolvers<string[]>();
    held.journal.onUnsent = () => resolve(ids(held.journal));
    held.journal.accept(orderOf(1));
    assert.deepEqual(await promise, [`${task}:1`]);
  });

  test('has a reason of bounded length, and the version that runs', () => {
    using held = opened();
    held.journal.accept(orderOf(1));
    held.reopen('1.1.0').say(task, { state: 'failed', reason: 'x'.repeat(1_000_000) });
    const last = check(result, JSON.parse(held.journal.unsent(100).at(-1)!.body));
    assert.equal(last.running, '1.1.0');
    assert.ok(last.reason!.length > 100 && last.reason!.length < 10_000, `${last.reason!.length} characters`);
  });
});

test('versions that had to be gone back from are remembered, with the last reason', () => {
  using held = opened();
  assert.equal(held.journal.skipped('1.1.0'), undefined);
  held.journal.skip('1.1.0', 'crashed');
  held.journal.skip('1.1.0', 'hung');
  assert.equal(held.reopen().skipped('1.1.0'), 'hung');
  assert.equal(held.journal.skipped('1.1.1'), undefined);
});

describe('forgetting', () => {
  test('takes ended tasks of a month ago, and none that is recent, open or still to be told', () => {
    using held = opened();
    for (const n of [1, 2, 3, 4]) held.journal.accept(orderOf(n));
    for (const n of [1, 2, 4]) held.journal.say(idOf(n), ended);
    held.journal.close();
    const age = 'UPDATE tasks SET changed_ms = ? WHERE id IN (?, ?)';
    inFile(held.path, (db) => db.prepare(age).run(Date.now() - 31 * DAY_MS, idOf(1), idOf(3)));
    inFile(held.path, (db) => db.prepare(age).run(Date.now() - 29 * DAY_MS, idOf(2), idOf(2)));
    const journal = held.reopen();
    journal.forgetOld();
    assert.deepEqual(
      [1, 2, 3, 4].map((n) => journal.entry(idOf(n))?.state),
      [undefined, 'ended', 'accepted', 'ended'],
    );
    assert.ok(ids(journal).includes(`${idOf(1)}:2`), 'its result is still to be told');
  });

  test('keeps the newest twenty thousand that ended, and every open one', () => {
    using held = opened();
    held.journal.accept(orderOf(1));
    held.journal.close();
    const fill = `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20011)
      INSERT INTO tasks (id, spec, state, changed_ms)
      SELECT printf('0198c0de-0000-7000-8000-%012d', i), '{}', 'ended', ? FROM n`;
    inFile(held.path, (db) => db.prepare(fill).run(Date.now()));
    const journal = held.reopen();
    journal.forgetOld();
    journal.forgetOld();
    const there = (n: number) => journal.entry(idOf(n)) !== undefined;
    assert.deepEqual([1, 2, 11, 12, 20_011].map(there), [true, false, false, true, true]);
  });
});

test('a journal that a newer release has written is read, and written, by the one before', () => {
  using held = opened();
  held.journal.accept(orderOf(1));
  held.journal.skip('1.1.0', 'hung');
  held.journal.close();
  inFile(held.path, (db) =>
    db.exec(`
      ALTER TABLE tasks ADD COLUMN lane TEXT NOT NULL DEFAULT 'exclusive';
      ALTER TABLE outbox ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE skipped ADD COLUMN until_ms INTEGER;
      CREATE TABLE scripts (id TEXT PRIMARY KEY) STRICT;
      CREATE INDEX tasks_lane ON tasks (lane);
      UPDATE tasks SET phase = 'warming_up', facts = '{"novelty":{"deep":1}}';
      PRAGMA user_version = 2;`),
  );
  const journal = held.reopen();
  assert.equal(journal.open()[0]?.phase, 'warming_up');
  journal.say(task, running, { from: '1.0.0' });
  journal.accept(orderOf(2));
  assert.deepEqual(journal.entry(task)?.facts, { novelty: { deep: 1 }, from: '1.0.0' });
  assert.equal(journal.skipped('1.1.0'), 'hung');
  assert.deepEqual(ids(journal), [`${task}:1`, `${task}:2`, `${idOf(2)}:1`]);
  journal.close();
  const lanes = inFile(held.path, (db) =>
    db
      .prepare('SELECT lane FROM tasks')
      .all()
      .map((row) => row.lane),
  );
  assert.deepEqual(lanes, ['exclusive', 'exclusive'], 'and the newer one finds its columns as it left them');
});

const codeOf = (code: string) => (error: unknown) => (error as { code: string }).code === code;

test('a file that is no journal is named in the error, and left as it is', () => {
  using folder = scratch();
  const path = join(folder.path, 'journal.db');
  inFile(path, (db) => db.exec('CREATE TABLE tasks (id TEXT) STRICT'));
  assert.throws(() => new Journal(path, 'db-01', '1.0.0'), codeOf('journal'));
  assert.throws(() => new Journal(folder.path, 'db-01', '1.0.0'));
});

/** Another process that accepts orders until it is killed, and the ids that it told. */
async function accepting(
  path: string,
  first: number,
): Promise<{ child: ChildProcess; told: string[]; until(n: number): Promise<void> }> {
  const script = join(import.meta.dirname, 'support/durability/accepts.ts');
  const args = ['--disable-warning=ExperimentalWarning', script, path, String(first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => told.push(line));
  return {
    child,
    told,
    until: async (n) => {
      while (told.length < n && child.exitCode === null) await once(lines, 'line');
    },
  };
}

async function killed(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

describe('with another process', { timeout: 60_000 }, () => {
  test('a second one is refused while the first lives, and let in once that was killed', async () => {
    using folder = scratch();
    const path = join(folder.path, 'journal.db');
    const { child, until } = await accepting(path, 1);
    try {
      await until(3);
      assert.throws(() => new Journal(path, 'db-01', '1.0.0'), codeOf('home_in_use'));
      assert.throws(() => new Journal(path, 'db-01', '1.0.0'), /another agent of this home runs/);
      await until(6);
      assert.equal(child.exitCode, null, 'the first goes on undisturbed');
    } finally {
      await killed(child);
    }
    using _ = toClose(new Journal(path, 'db-01', '1.0.0'));
  });

  test('a journal that is only open, and idle, is as much in use', () => {
    using held = opened();
    assert.throws(() => new Journal(held.path, 'db-01', '1.0.0'), codeOf('home_in_use'));
    held.journal.accept(orderOf(1));
    held.reopen();
  });

  test('nothing that was told as written is lost when it is killed, whenever that is', async (t) => {
    using folder = scratch();
    const path = join(folder.path, 'journal.db');
    const told: string[] = [];
    for (let round = 1; round <= 5; round++) {
      const other = await accepting(path, round * 1_000_000);
      await other.until(1 + Math.floor(Math.random() * 400));
      await sleep(Math.random() * 5); // so as to be in the middle of anything
      await killed(other.child);
      told.push(...other.told);
      using journal = toClose(new Journal(path, 'db-01', '1.0.0'));
      assert.deepEqual(
        told.filter((id) => journal.entry(id)?.state !== 'accepted'),
        [],
      );
      const open = journal.open().map((entry) => `${entry.order.task}:1`);
      assert.deepEqual(
        open,
        journal.unsent(1_000_000).map((one) => one.id),
        'each with its word, none by half',
      );
      assert.ok(open.length - told.length <= round, 'at most the one under way was not told');
    }
    t.diagnostic(`${told.length} orders over 5 kills`);
  });
});

function toClose(journal: Journal): Journal & Disposable {
  return Object.assign(journal, { [Symbol.dispose]: () => journal.close() });
}
