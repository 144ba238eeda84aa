import type { Queryable } from '../../lib/conn.ts';
import { GOOD_STATES, OPEN_STATES, type TaskState } from '../tasks.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

export type JobState = 'running' | 'succeeded' | 'partial' | 'failed' | 'cancelled' | 'no_targets';
export type JobRow = {
  id: string;
  type: string;
  args: Record<string, unknown>;
  target: string;
  state: JobState;
  createdAt: Date;
  createdBy: string;
  finishedAt: Date | null;
};

export type NewTask = {
  id: string;
  host: string;
  args: object;
  state: 'pending' | 'skipped';
  reason: string | null;
  fromVersion: string | null;
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
};

const COLUMNS = sql`id, type, args, target, state, created_at AS createdAt, created_by AS createdBy, finished_at AS finishedAt`;
const ROWS_A_STATEMENT = 1000;
/** Servers take a statement of 16 MB by default; what a script is to read may be as large as a thousandth of that. */
const BYTES_A_STATEMENT = 4 << 20;

/** Writes a job and its tasks in the caller's transaction; returns the earlier job's id for a repeated call. */
export async function addJob(db: Queryable, job: NewJob): Promise<string> {
  const state = job.tasks.length === 0 ? 'no_targets' : 'running';
  const statement = sql`
    INSERT IGNORE INTO jobs (id, type, args, target, state, created_at, created_by, call_key, deadline_at)
    VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(3), ?, ?, UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)`;
  const { id, type, target, by, callKey } = job;
  const about = [id, type, JSON.stringify(job.args), target, state, by, callKey];
  const added = await db.run(statement, [...about, job.deadlineMs * 1000]);
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
      return [...what, job.timeoutMs, clock!.now, clock!.deadline, finished, task.fromVersion];
    });
    const insert = sql`
      INSERT INTO tasks (id, job_id, host_id, type, args, state, reason, timeout_ms, created_at, deadline_at,
        finished_at, from_version)
      VALUES ?`;
    await db.run(insert, [rows]);
  }
  return id;
}

function rowsAtOnce(tasks: NewTask[]): number {
  const bytes = Buffer.byteLength(JSON.stringify(tasks[0]?.args ?? {}));
  return Math.max(1, Math.min(ROWS_A_STATEMENT, Math.floor(BYTES_A_STATEMENT / bytes)));
}

export async function getJob(db: Queryable, id: string): Promise<JobRow | undefined> {
  const row = await db.one<JobRow>(sql`SELECT ${COLUMNS} FROM jobs WHERE id = ?`, [id]);
  return row && told(row);
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

/** How many of a job's tasks are in each state. */
export async function countStates(db: Queryable, id: string): Promise<Partial<Record<TaskState, number>>> {
  const rows = await db.query<{ state: TaskState; n: number }>(
    sql`SELECT state, COUNT(*) AS n FROM tasks WHERE job_id = ? GROUP BY state`,
    [id],
  );
  return Object.fromEntries(rows.map((row) => [row.state, Number(row.n)]));
}

/**
 * Ends those of the running jobs that have no open task left. Run it after the commit that ended a task: of two
 * dispatchers that end a job's last two tasks side by side, the later one then sees both.
 */
export async function finishJobs(db: Queryable, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const statement = sql`
    UPDATE jobs SET finished_at = UTC_TIMESTAMP(3), state = CASE
        WHEN NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.state NOT IN (?)) THEN 'succeeded'
        WHEN NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.state NOT IN ('cancelled', 'skipped')) THEN 'cancelled'
        WHEN EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.state = 'succeeded') THEN 'partial'
        ELSE 'failed' END
    WHERE id IN (?) AND state = 'running'
      AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.state IN (?))`;
  await db.run(statement, [[...GOOD_STATES], ids, [...OPEN_STATES]]);
}

/** Late results may better a job that has ended. */
export async function reopenJobs(db: Queryable, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const statement = sql`UPDATE jobs SET state = 'running', finished_at = NULL WHERE id IN (?) AND state <> 'cancelled'`;
  await db.run(statement, [ids]);
}

/** Running jobs without an open task: their last one was ended by us and not by its host. */
export async function jobsToEnd(db: Queryable, limit: number): Promise<string[]> {
  const statement = sql`
    SELECT id FROM jobs WHERE state = 'running'
      AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = jobs.id AND t.state IN (?))
    ORDER BY created_at LIMIT ?`;
  return (await db.query<{ id: string }>(statement, [[...OPEN_STATES], limit])).map((row) => row.id);
}

const told = (row: JobRow): JobRow => ({ ...row, args: parsed(row.args) });
