import type { Queryable } from '../../lib/conn.ts';
import type { Limits } from '../../lib/limits.ts';
import { BACK_PHASES, ERROR_STATES, GOOD_STATES, OPEN_STATES, type TaskState } from '../tasks.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

export const OPEN_JOBS = ['pending', 'running', 'paused', 'cancelling'] as const;
export type JobState =
  | (typeof OPEN_JOBS)[number]
  | 'succeeded'
  | 'partial'
  | 'failed'
  | 'cancelled'
  | 'no_targets';
export type JobRow = {
  id: string;
  type: string;
  args: Record<string, unknown>;
  target: string;
  state: JobState;
  createdAt: Date;
  createdBy: string;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** Null: nobody drives it, since all its tasks may be sent at once. */
  limits: Limits | null;
  pausedReason: string | null;
  /** The one that is under way. */
  wave: number;
  /** Until when it waits for hosts that are away. */
  deadlineAt: Date | null;
};

export type NewTask = {
  id: string;
  host: string;
  args: object;
  state: 'pending' | 'skipped';
  reason: string | null;
  fromVersion: string | null;
  wave?: number;
  /** The names of the windows that its host keeps, with commas between them. */
  windows?: string | null;
};
export type NewJob = {
  id: string;
  type: string;
  args: object;
  target: string;
  by: string;
  callKey: string;
  timeoutMs: number;
  deadlineMs: number;
  tasks: NewTask[];
  /** What the driver keeps to, and how many hosts each wave has. */
  driven?: { limits: Limits; waves: number[] } | undefined;
};

const COLUMNS = sql`
  id, type, args, target, state, created_at AS createdAt, created_by AS createdBy, started_at AS startedAt,
  finished_at AS finishedAt, limits, paused_reason AS pausedReason, wave, deadline_at AS deadlineAt`;
const ROWS_A_STATEMENT = 1000;
/** Servers take a statement of 16 MB by default; what a script is to read may be as large as a thousandth of that. */
const BYTES_A_STATEMENT = 4 << 20;

/** Writes a job and its tasks in the caller's transaction; returns the earlier job's id for a repeated call. */
export async function addJob(db: Queryable, job: NewJob): Promise<string> {
  const state = job.tasks.length === 0 ? 'no_targets' : 'running';
  const statement = sql`
    INSERT IGNORE INTO jobs (id, type, args, target, state, created_at, started_at, created_by, call_key, limits,
      wave_sizes, window_sets, deadline_at)
    VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), ?, ?, ?, ?, ?, UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)`;
  const { id, type, target, by, callKey, deadlineMs, driven } = job;
  const about = [id, type, JSON.stringify(job.args), target, state, by, callKey];
  const limits = driven ? JSON.stringify({ ...driven.limits, deadlineMs }) : null;
  const waves = driven ? JSON.stringify(driven.waves) : null;
  const sets = JSON.stringify(windowSets(job.tasks));
  const added = await db.run(statement, [...about, limits, waves, sets, deadlineMs * 1000]);
  if (added === 0) {
    const earlier = await db.one<{ id: string }>(sql`SELECT id FROM jobs WHERE call_key = ?`, [callKey]);
    if (earlier) return earlier.id;
  }
  const clock = await db.one<{ now: Date; deadline: Date }>(
    sql`SELECT UTC_TIMESTAMP(3) AS now, UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND AS deadline`,
    [job.deadlineMs * 1000],
  );
  const step = rowsAtOnce(job.tasks);
  for (let at = 0; at < job.tasks.length; at += step) {
    const rows = job.tasks.slice(at, at + step).map((task) => {
      const finished = task.state === 'skipped' ? clock!.now : null;
      const what = [task.id, id, task.host, type, JSON.stringify(task.args), task.state, task.reason];
      const place = [task.wave ?? 1, driven ? 0 : 1, task.windows ?? null];
      return [...what, job.timeoutMs, clock!.now, clock!.deadline, finished, task.fromVersion, ...place];
    });
    const insert = sql`
      INSERT INTO tasks (id, job_id, host_id, type, args, state, reason, timeout_ms, created_at, deadline_at,
        finished_at, from_version, wave, ready, windows)
      VALUES ?`;
    await db.run(insert, [rows]);
  }
  return id;
}

function rowsAtOnce(tasks: NewTask[]): number {
  const bytes = Buffer.byteLength(JSON.stringify(tasks[0]?.args ?? {}));
  return Math.max(1, Math.min(ROWS_A_STATEMENT, Math.floor(BYTES_A_STATEMENT / bytes)));
}
const windowSets = (tasks: NewTask[]) => [...new Set(tasks.flatMap(({ windows }) => windows ?? []))];

export async function getJob(db: Queryable, id: string): Promise<JobRow | undefined> {
  const row = await db.one<JobRow>(sql`SELECT ${COLUMNS} FROM jobs WHERE id = ?`, [id]);
  return row && told(row);
}

/** The job that this call has made. */
export async function jobOfCall(db: Queryable, by: string, key: string): Promise<string | undefined> {
  return (await db.one<{ id: string }>(sql`SELECT id FROM jobs WHERE call_key = ?`, [`${by}:${key}`]))?.id;
}

export async function listJobs(db: Queryable, limit: number): Promise<JobRow[]> {
  const statement = sql`SELECT ${COLUMNS} FROM jobs ORDER BY created_at DESC, id DESC LIMIT ?`;
  return (await db.query<JobRow>(statement, [limit])).map(told);
}

/** Hosts with an upgrade that has not ended. */
export async function hostsMoving(db: Queryable): Promise<Set<string>> {
  const statement = sql`SELECT DISTINCT host_id AS host FROM tasks WHERE state IN (?) AND type = 'client_upgrade'`;
  const rows = await db.query<{ host: string }>(statement, [[...OPEN_STATES]]);
  return new Set(rows.map((row) => row.host));
}

export type WaveCount = { wave: number; state: TaskState; n: number };

/** How many of a job's tasks are in each state, wave by wave. */
export async function countWaves(db: Queryable, id: string): Promise<WaveCount[]> {
  const rows = await db.query<WaveCount>(
    sql`SELECT state, wave, COUNT(*) AS n FROM tasks WHERE job_id = ? AND retried = 0 GROUP BY state, wave`,
    [id],
  );
  return rows.map((row) => ({ ...row, n: Number(row.n) }));
}

/** How many of a job's tasks are in each state. */
export async function countStates(db: Queryable, id: string): Promise<Partial<Record<TaskState, number>>> {
  const counts: Partial<Record<TaskState, number>> = {};
  for (const { state, n } of await countWaves(db, id)) counts[state] = (counts[state] ?? 0) + n;
  return counts;
}

export type ErrorCount = { kind: string; n: number; forgiven: number };

/** What went wrong, by its kind: a failed task that went back is told as such. */
export async function countErrors(db: Queryable, id: string): Promise<ErrorCount[]> {
  const statement = sql`
    SELECT CASE WHEN phase IN (?) THEN phase ELSE state END AS kind, COUNT(*) AS n, SUM(forgiven) AS forgiven
    FROM tasks WHERE job_id = ? AND retried = 0 AND state IN (?) GROUP BY kind ORDER BY kind`;
  const rows = await db.query<ErrorCount>(statement, [[...BACK_PHASES], id, [...ERROR_STATES]]);
  return rows.map(({ kind, n, forgiven }) => ({ kind, n: Number(n), forgiven: Number(forgiven) }));
}

const END = sql`
  CASE
    WHEN NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.retried = 0 AND t.state NOT IN (?)) THEN 'succeeded'
    WHEN jobs.state = 'cancelling' AND EXISTS (SELECT 1 FROM tasks t
      WHERE t.job_id = jobs.id AND t.retried = 0 AND t.state = 'cancelled') THEN 'cancelled'
    WHEN NOT EXISTS (SELECT 1 FROM tasks t
      WHERE t.job_id = jobs.id AND t.retried = 0 AND t.state NOT IN ('cancelled', 'skipped')) THEN 'cancelled'
    WHEN EXISTS (SELECT 1 FROM tasks t
      WHERE t.job_id = jobs.id AND t.retried = 0 AND t.state = 'succeeded') THEN 'partial'
    ELSE 'failed' END`;

/**
 * Ends those of the running jobs that have no open task left; how many there were. A job that is driven is ended by its
 * driver, which may want to try again what failed. Run it after the commit that ended a task: of two
 * dispatchers that end a job's last two tasks side by side, the later one then sees both.
 */
export async function finishJobs(db: Queryable, ids: string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const statement = sql`
    UPDATE jobs SET finished_at = UTC_TIMESTAMP(3), state = ${END}
    WHERE id IN (?) AND state IN ('running', 'cancelling') AND limits IS NULL
      AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.retried = 0 AND t.state IN (?))`;
  return db.run(statement, [[...GOOD_STATES], ids, [...OPEN_STATES]]);
}

/** Ends a job that is driven, whose row the caller holds, and of which nothing is open. */
export async function finishDriven(db: Queryable, id: string): Promise<void> {
  const statement = sql`UPDATE jobs SET finished_at = UTC_TIMESTAMP(3), state = ${END}, paused_reason = NULL WHERE id = ?`;
  await db.run(statement, [[...GOOD_STATES], id]);
}

/** Late results may better a job that has ended. */
export async function reopenJobs(db: Queryable, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const statement = sql`
    UPDATE jobs SET state = 'running', finished_at = NULL WHERE id IN (?) AND state IN ('succeeded', 'partial', 'failed')`;
  await db.run(statement, [ids]);
}

/** Jobs under way without an open task: their last one was ended by us and not by its host. */
export async function jobsToEnd(db: Queryable, limit: number): Promise<string[]> {
  const statement = sql`
    SELECT id FROM jobs WHERE state IN ('running', 'cancelling') AND limits IS NULL
      AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.retried = 0 AND t.state IN (?))
    ORDER BY created_at LIMIT ?`;
  return (await db.query<{ id: string }>(statement, [[...OPEN_STATES], limit])).map((row) => row.id);
}

/** Of these jobs, those that have ended. */
export async function endedJobs(db: Queryable, ids: string[]): Promise<JobRow[]> {
  const statement = sql`SELECT ${COLUMNS} FROM jobs WHERE id IN (?) AND state NOT IN (?)`;
  return (await db.query<JobRow>(statement, [ids, [...OPEN_JOBS]])).map(told);
}

const told = (row: JobRow): JobRow => ({
  ...row,
  args: parsed(row.args),
  limits: row.limits === null ? null : parsed(row.limits),
});
