import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { MegaError } from '../lib/errors.ts';
import type { Order, Phase } from '../lib/messages.ts';
import { bodyOf, isProgress, type Word } from './said.ts';

/**
 * What this host knows of its tasks: one SQLite file, synced to disk at every commit.
 *
 * INVARIANTS
 * - A task and what is to be said of it change in one transaction: nothing is done that will not be told, and
 *   nothing is told that was not written down.
 * - A task's id is accepted once (I1); its `seq` rises by one with each thing said.
 * - What the broker has confirmed is deleted along with the next commit, or soon: it may be sent twice, since it is
 *   recorded once, but never lost.
 * - One process holds the file (SQLite's exclusive lock, freed by the kernel when the process dies): the lock of
 *   the whole home.
 * - Tables only gain columns with defaults: the release before must be able to read what this one wrote (I2).
 */
export type TaskState = 'accepted' | 'running' | 'ended';
export type Entry = {
  order: Order;
  state: TaskState;
  phase: Phase | null;
  seq: number;
  /** What the task type wants to remember. */
  facts: Record<string, unknown>;
};
export type Unsent = { n: number; kind: 'result' | 'event'; id: string; body: string };

/** How long a word that the broker has confirmed may stay in the file. */
const FORGET_MS = 1_000;

/** Ended tasks are remembered for far longer than any order can live. */
const KEEP_MS = 30 * 86_400_000;
const KEEP_ENDED = 20_000;

const TABLES = `
  CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, spec TEXT NOT NULL, state TEXT NOT NULL, phase TEXT, seq INTEGER NOT NULL DEFAULT 0,
    facts TEXT NOT NULL DEFAULT '{}', last TEXT, changed_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS tasks_open ON tasks (id) WHERE state <> 'ended';
  CREATE TABLE IF NOT EXISTS outbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS skipped (version TEXT PRIMARY KEY, reason TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
`;

export class Journal {
  #db: DatabaseSync;
  #host: string;
  #version: string;
  #statements = new Map<string, StatementSync>();
  /** Confirmed by the broker, and to be deleted. */
  #sent = new Set<number>();
  #forgetting: NodeJS.Timeout | undefined;
  /** Called after each commit that put something into the outbox; `urgent` when it may not wait for more. */
  onUnsent: (urgent: boolean) => void = () => undefined;

  /** Errors: `home_in_use` when another process holds the home; what SQLite says otherwise. */
  constructor(path: string, host: string, version: string) {
    this.#host = host;
    this.#version = version;
    this.#db = new DatabaseSync(path, { timeout: 0 });
    try {
      this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
      this.#transaction(() => this.#db.exec(TABLES));
    } catch (cause) {
      this.#db.close();
      const { message } = cause as Error;
      if (/locked|busy/i.test(message))
        throw new MegaError('home_in_use', `another agent of this home runs: it holds ${path}`, { cause });
      throw new MegaError('journal', `the journal ${path} cannot be used: ${message}`, { cause });
    }
  }

  close(): void {
    if (!this.#db.isOpen) return;
    this.#forgetSent();
    this.#db.close();
  }

  /**
   * Writes a new task down and says so, and that it runs, if it `begins` at once. False when its id is known, and then
   * what was last said is said again.
   */
  accept(order: Order, begins = false): boolean {
    return this.#transaction(() => {
      const known = this.#get(order.task);
      if (known) {
        this.#repeat(order.task);
        return false;
      }
      const insert = 'INSERT INTO tasks (id, spec, state, changed_ms) VALUES (?, ?, ?, ?)';
      this.#run(insert, order.task, JSON.stringify(order), 'accepted', Date.now());
      this.#say(order.task, { state: 'accepted' });
      if (begins) this.#say(order.task, { state: 'running' });
      return true;
    });
  }

  /** Changes a task's state, phase and facts, and puts the word into the outbox, all at once. */
  say(task: string, word: Word, facts?: Record<string, unknown>): void {
    this.#transaction(() => {
      if (facts) this.#merge(task, facts);
      this.#say(task, word);
    });
  }

  remember(task: string, facts: Record<string, unknown>): void {
    this.#transaction(() => this.#merge(task, facts));
  }

  entry(task: string): Entry | undefined {
    return this.#get(task);
  }

  /** Not ended: first what has begun, so that nothing overtakes an upgrade on trial; then as they were made. */
  open(): Entry[] {
    const open = "SELECT * FROM tasks WHERE state <> 'ended' ORDER BY state = 'running' DESC, id";
    return this.#all(open).map(entryOf);
  }

  unsent(limit: number): Unsent[] {
    const most = limit + this.#sent.size;
    const rows = this.#all('SELECT n, kind, id, body FROM outbox ORDER BY n LIMIT ?', most) as Unsent[];
    return rows.filter((one) => !this.#sent.has(one.n)).slice(0, limit);
  }

  /** The broker has these. A commit for that alone would cost a disk more than the task itself. */
  sent(ns: number[]): void {
    for (const n of ns) this.#sent.add(n);
    this.#forgetting ??= setTimeout(() => this.#forgetSent(), FORGET_MS).unref();
  }

  /** A version that had to be gone back from is not tried again. */
  skip(version: string, reason: string): void {
    const upsert = 'INSERT OR REPLACE INTO skipped (version, reason, at_ms) VALUES (?, ?, ?)';
    this.#transaction(() => this.#run(upsert, version, reason, Date.now()));
  }

  /** Why, if that was later than `since`, by this host's clock. */
  skipped(version: string, since = 0): string | undefined {
    const row = this.#all('SELECT reason FROM skipped WHERE version = ? AND at_ms > ?', version, since)[0];
    return row === undefined ? undefined : String(row.reason);
  }

  /** Forgets ended tasks that no order can name any more. */
  forgetOld(): void {
    const old = `DELETE FROM tasks WHERE state = 'ended' AND (changed_ms < ?
      OR id <= (SELECT id FROM tasks WHERE state = 'ended' ORDER BY id DESC LIMIT 1 OFFSET ?))`;
    this.#transaction(() => this.#run(old, Date.now() - KEEP_MS, KEEP_ENDED));
  }

  /** On a full disk they stay, and are deleted with a later commit. */
  #forgetSent(): void {
    try {
      if (this.#sent.size > 0 && this.#db.isOpen) this.#transaction(() => undefined);
    } catch {
      this.#forgetting = undefined;
    }
  }

  #say(task: string, word: Word): void {
    const entry = this.#get(task);
    if (!entry || entry.state === 'ended') return;
    const seq = entry.seq + 1;
    // Events and results travel in two queues: an end must not depend on the event before it being read first.
    const phase = word.phase ?? entry.phase ?? undefined;
    const body = bodyOf(word, { task, host: this.#host, seq, phase, version: this.#version });
    const state: TaskState = isProgress(word.state) ? word.state : 'ended';
    const progress = state !== 'ended';
    const update =
      'UPDATE tasks SET state = ?, phase = coalesce(?, phase), seq = ?, last = ?, changed_ms = ? WHERE id = ?';
    this.#run(update, state, word.phase ?? null, seq, body, Date.now(), task);
    // An end tells all that its own beginning would, if nobody was told of that yet.
    const overtaken = "DELETE FROM outbox WHERE kind = 'event' AND id IN (?, ?)";
    if (!progress && seq <= 3 && !phase) this.#run(overtaken, `${task}:1`, `${task}:2`);
    this.#put(task, seq, body, progress, !progress || phase !== undefined);
  }

  #repeat(task: string): void {
    const row = this.#all('SELECT seq, last, state FROM tasks WHERE id = ?', task)[0];
    if (row?.last) this.#put(task, Number(row.seq), String(row.last), row.state !== 'ended', true);
  }

  #put(task: string, seq: number, body: string, progress: boolean, urgent: boolean): void {
    const insert = 'INSERT INTO outbox (kind, id, body) VALUES (?, ?, ?)';
    this.#run(insert, progress ? 'event' : 'result', `${task}:${seq}`, body);
    queueMicrotask(() => this.onUnsent(urgent));
  }

  #merge(task: string, facts: Record<string, unknown>): void {
    const entry = this.#get(task);
    if (!entry) return;
    const all = JSON.stringify({ ...entry.facts, ...facts });
    this.#run('UPDATE tasks SET facts = ? WHERE id = ?', all, task);
  }

  #get(task: string): Entry | undefined {
    const row = this.#all('SELECT * FROM tasks WHERE id = ?', task)[0];
    return row && entryOf(row);
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const value = work();
      for (const n of this.#sent) this.#run('DELETE FROM outbox WHERE n = ?', n);
      this.#db.exec('COMMIT');
      this.#sent.clear();
      clearTimeout(this.#forgetting);
      this.#forgetting = undefined;
      return value;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      if (!/disk is full/.test((error as Error).message)) throw error;
      throw new MegaError('disk_full', 'no space left for the journal: free some', { cause: error });
    }
  }

  #prepare(text: string): StatementSync {
    let found = this.#statements.get(text);
    if (!found) {
      found = this.#db.prepare(text);
      this.#statements.set(text, found);
    }
    return found;
  }

  #run(text: string, ...params: (string | number | null)[]): void {
    this.#prepare(text).run(...params);
  }

  #all(text: string, ...params: (string | number)[]): Record<string, unknown>[] {
    return this.#prepare(text).all(...params);
  }
}

function entryOf(row: Record<string, unknown>): Entry {
  return {
    order: JSON.parse(String(row.spec)) as Order,
    state: row.state as TaskState,
    phase: row.phase as Phase | null,
    seq: Number(row.seq),
    facts: JSON.parse(String(row.facts)) as Record<string, unknown>,
  };
}
