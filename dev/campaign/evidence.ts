import { readdirSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Conn } from '../../src/lib/conn.ts';
import { readIfThere, unlessMissing } from '../../src/lib/files.ts';
import { versionAt } from '../../src/lib/home.ts';
import type { AgentProcess } from '../world/agent.ts';
import { askBroker, type Held, heldMessages } from '../world/broker.ts';
import { until } from '../world/until.ts';
import type { World } from '../world/world.ts';
import type { Answers } from './heal.ts';
import { type LoaderWord, readLoaderLog } from './loaderlog.ts';
import type { Stage } from './stage.ts';

/** What a host said of a task, as the database keeps it. */
export type Told = { seq: number; state: string; phase: string | null };
/** The last word of a task, as it was sent. */
export type LastWord = { kind: string; state: string; seq: number; phase?: string; running?: string };

export type TaskRow = {
  id: string;
  job: string;
  host: string;
  type: string;
  state: string;
  phase: string | null;
  reason: string | null;
  seq: number;
  finished: boolean;
  result: LastWord | null;
  events: Told[];
};

export type JournalTask = {
  id: string;
  type: string;
  to: string | undefined;
  state: string;
  phase: string | null;
  seq: number;
  /** How many trials it has opened. */
  holds: number;
  last: LastWord | undefined;
  changedMs: number;
};

export type Journal = {
  tasks: JournalTask[];
  unsent: number;
  skipped: { version: string; reason: string }[];
};

/** Names of what lies in the folders of a home. */
export type Disk = Record<'root' | 'bin' | 'releases' | 'runtimes' | 'state' | 'downloads', string[]> & {
  /** Runtimes that a release names. */
  named: string[];
};

export type HostEvidence = {
  host: string;
  current: string | undefined;
  previous: string | undefined;
  disk: Disk;
  journal: Journal;
  loader: LoaderWord[];
};

/** All that is left behind by a campaign, read from where each party keeps it, and from nobody's answer but the last ping's. */
export type Evidence = {
  first: string;
  bad: readonly string[];
  tasks: TaskRow[];
  jobs: { id: string; state: string }[];
  versions: Map<string, string | null>;
  answers: Answers;
  hosts: HostEvidence[];
  held: Held[];
  dead: { reason: string; sender: string }[];
  falls: { name: string; how: string }[];
};

/** The broker's figures lag. */
const SETTLE_MS = 20_000;

/**
 * The agents must have been stopped: a journal belongs to one process. `first` is what all hosts ran in the beginning;
 * for `settleMs` it waits for queues to become empty.
 */
export async function gather(
  stage: Stage,
  answers: Answers,
  first: string,
  settleMs = SETTLE_MS,
): Promise<Evidence> {
  const { world, database, machines, dispatchers, bad } = stage;
  const held = await readHeld(world, settleMs);
  const rows = await database.query<{ id: string; version: string | null }>('SELECT id, version FROM hosts');
  return {
    first,
    bad,
    tasks: await readTasks(database),
    jobs: await database.query<{ id: string; state: string }>('SELECT id, state FROM jobs'),
    versions: new Map(rows.map((row) => [row.id, row.version])),
    answers,
    hosts: machines.map(({ agent }) => readHost(agent)),
    held,
    dead: held.some(({ queue }) => queue === 'mega.dead') ? await readDead(world) : [],
    falls: dispatchers.flatMap(({ name, falls }) => falls.map((how) => ({ name, how }))),
  };
}

async function readHeld(world: World, settleMs: number): Promise<Held[]> {
  let held: Held[] = [];
  const look = async () => {
    held = await heldMessages(world);
    return held.every(({ queue }) => queue === 'mega.dead');
  };
  await until('all queues to be empty', look, { deadlineMs: settleMs, pollMs: 500 }).catch(() => undefined);
  return held;
}

type Parked = { properties: { headers?: Record<string, string> } };

/** Looks and leaves them there. */
async function readDead(world: World): Promise<Evidence['dead']> {
  const path = `queues/${encodeURIComponent(world.name)}/mega.dead/get`;
  const look = { count: 20, ackmode: 'ack_requeue_true', encoding: 'auto', truncate: 1000 };
  const found = await askBroker<Parked[]>(world, 'POST', path, look);
  return found.map(({ properties: { headers = {} } }) => {
    return { reason: headers['x-reason'] ?? 'unknown', sender: headers['x-sender'] ?? 'unknown' };
  });
}

async function readTasks(database: Conn): Promise<TaskRow[]> {
  const tasks = await database.query<Omit<TaskRow, 'result' | 'events'>>(
    `SELECT id, job_id AS job, host_id AS host, type, state, phase, reason, seq, finished_at IS NOT NULL AS finished
     FROM tasks ORDER BY id`,
  );
  const events = await database.query<Told & { task: string; result: unknown }>(
    'SELECT task_id AS task, seq, state, phase, result FROM task_events ORDER BY task_id, recorded_at, seq',
  );
  const of = Map.groupBy(events, (one) => one.task);
  return tasks.map((row) => {
    const told = of.get(row.id) ?? [];
    const last = told.find((one) => one.seq === row.seq);
    return { ...row, finished: Boolean(row.finished), result: parsed(last?.result ?? null), events: told };
  });
}

/** JSON is text in MariaDB, and an object from MySQL. */
const parsed = (value: unknown) => (typeof value === 'string' ? JSON.parse(value) : value) as LastWord | null;

export function readHost(agent: AgentProcess): HostEvidence {
  const { home } = agent;
  return {
    host: agent.id,
    current: versionAt(home.current),
    previous: versionAt(home.previous),
    disk: readDisk(agent), // before the journal: to read it makes files beside it
    journal: agent.readJournal(readJournal),
    loader: readLoaderLog(readIfThere(agent.loaderLog) ?? ''),
  };
}

function readDisk({ home }: AgentProcess): Disk {
  const list = (folder: string) => unlessMissing(() => readdirSync(folder)) ?? [];
  const releases = list(home.releases);
  const runtimeOf = (release: string) =>
    unlessMissing(() => basename(readlinkSync(join(home.release(release), 'runtime'))));
  return {
    root: list(home.root),
    bin: list(join(home.root, 'bin')),
    releases,
    runtimes: list(home.runtimes),
    state: list(home.state),
    downloads: list(home.downloads),
    named: releases.map(runtimeOf).filter((one) => one !== undefined),
  };
}

function readJournal(db: DatabaseSync): Journal {
  const rows = db.prepare('SELECT * FROM tasks ORDER BY changed_ms, id').all();
  const tasks = rows.map((row): JournalTask => {
    const order = JSON.parse(String(row.spec)) as { type: string; args: { to?: string } };
    const facts = JSON.parse(String(row.facts)) as { holds?: number };
    return {
      id: String(row.id),
      type: order.type,
      to: order.args.to,
      state: String(row.state),
      phase: row.phase === null ? null : String(row.phase),
      seq: Number(row.seq),
      holds: facts.holds ?? 0,
      last: row.last === null ? undefined : (JSON.parse(String(row.last)) as LastWord),
      changedMs: Number(row.changed_ms),
    };
  });
  const unsent = db.prepare('SELECT COUNT(*) AS n FROM outbox').get();
  const skipped = db.prepare('SELECT version, reason FROM skipped').all();
  return {
    tasks,
    unsent: Number(unsent?.n),
    skipped: skipped.map((row) => ({ version: String(row.version), reason: String(row.reason) })),
  };
}
