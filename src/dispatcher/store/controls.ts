import type { Queryable } from '../../lib/conn.ts';
import type { Bound } from '../../lib/limits.ts';
import { ERROR_STATES, OPEN_STATES } from '../tasks.ts';
import type { JobState } from './jobs.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/** What operators do to jobs. */
export type ControlledJob = {
  id: string;
  type: string;
  state: JobState;
  driven: boolean;
  wave: number;
  /** Hosts in each wave; empty where it is not driven. */
  waves: number[];
  deadlineMs: number;
};

/**
 * Locks the job's row until the transaction ends. `deadlineMs`: how long it waits for hosts that are away, as it was
 * asked for.
 */
export async function lockJob(db: Queryable, id: string): Promise<ControlledJob | undefined> {
  const statement = sql`
    SELECT id, type, state, wave, limits, wave_sizes AS waves FROM jobs WHERE id = ? FOR UPDATE`;
  const row = await db.one<ControlledJob & { limits: unknown }>(statement, [id]);
  if (!row) return undefined;
  const { type, state, wave } = row;
  const limits = row.limits === null ? null : parsed<{ deadlineMs: number }>(row.limits);
  const waves = row.waves === null ? [] : parsed<number[]>(row.waves);
  const deadlineMs = limits?.deadlineMs ?? (await askedDeadline(db, id));
  return { id, type, state, driven: limits !== null, wave, waves, deadlineMs };
}

async function askedDeadline(db: Queryable, id: string): Promise<number> {
  const statement = sql`
    SELECT TIMESTAMPDIFF(MICROSECOND, created_at, deadline_at) / 1000 AS ms FROM tasks WHERE job_id = ? LIMIT 1`;
  return Math.round(Number((await db.one<{ ms: number }>(statement, [id]))?.ms ?? 0));
}

/** From now on it is driven: one whose tasks could all be sent at once has one wave. */
export async function setDriven(db: Queryable, id: string, limits: object): Promise<void> {
  const tasks = await db.one<{ n: number }>(
    sql`SELECT COUNT(*) AS n FROM tasks WHERE job_id = ? AND retried = 0`,
    [id],
  );
  const statement = sql`UPDATE jobs SET limits = ?, wave_sizes = ? WHERE id = ? AND limits IS NULL`;
  await db.run(statement, [JSON.stringify(limits), JSON.stringify([Number(tasks!.n)]), id]);
}

/** Goes on, with all errors so far forgiven; hosts that are away may be away for so long again. */
export async function setRunning(db: Queryable, { id, wave, deadlineMs }: ControlledJob): Promise<void> {
  const forgive = sql`UPDATE tasks SET forgiven = 1 WHERE job_id = ? AND retried = 0 AND state IN (?)`;
  await db.run(forgive, [id, [...ERROR_STATES]]);
  const waiting = sql`
    UPDATE tasks SET deadline_at = GREATEST(deadline_at, UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)
    WHERE job_id = ? AND retried = 0 AND state = 'pending' AND wave <= ?`;
  await db.run(waiting, [deadlineMs * 1000, id, wave]);
  await openJob(db, id, deadlineMs);
}

/** Under way, whatever it was before. */
export async function openJob(db: Queryable, id: string, deadlineMs: number): Promise<void> {
  const statement = sql`
    UPDATE jobs SET state = 'running', paused_reason = NULL, finished_at = NULL,
      deadline_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE id = ?`;
  await db.run(statement, [deadlineMs * 1000, id]);
}

export async function setMaxErrors(db: Queryable, id: string, maxErrors: Bound): Promise<void> {
  const row = await db.one<{ limits: unknown }>(sql`SELECT limits FROM jobs WHERE id = ?`, [id]);
  const limits = JSON.stringify({ ...parsed<object>(row!.limits), maxErrors });
  await db.run(sql`UPDATE jobs SET limits = ? WHERE id = ?`, [limits, id]);
}

export async function approveWave(db: Queryable, id: string, wave: number): Promise<void> {
  const statement = sql`UPDATE jobs SET approved_wave = GREATEST(approved_wave, ?) WHERE id = ?`;
  await db.run(statement, [wave, id]);
}

/** Ends what was not sent, and marks what is under way: of those the hosts are to be told. How many were ended. */
export async function cancelTasks(db: Queryable, id: string): Promise<number> {
  await db.run(sql`UPDATE jobs SET state = 'cancelling', paused_reason = NULL WHERE id = ?`, [id]);
  const pending = sql`
    UPDATE tasks SET state = 'cancelled', reason = 'cancelled before it was sent', finished_at = UTC_TIMESTAMP(3)
    WHERE job_id = ? AND retried = 0 AND state = 'pending' AND lease_until IS NULL`;
  const ended = await db.run(pending, [id]);
  const open = sql`
    UPDATE tasks SET state = 'cancelling' WHERE job_id = ? AND retried = 0 AND state IN (?) AND state <> 'cancelling'`;
  await db.run(open, [id, [...OPEN_STATES]]);
  return ended;
}

export type Cancelling = { id: string; host: string };

export async function cancellingIn(db: Queryable, job: string): Promise<Cancelling[]> {
  const statement = sql`
    SELECT id, host_id AS host FROM tasks WHERE job_id = ? AND retried = 0 AND state = 'cancelling' ORDER BY id`;
  return db.query<Cancelling>(statement, [job]);
}

/** Tasks that ended badly. */
export async function failedIn(db: Queryable, job: string): Promise<string[]> {
  const statement = sql`SELECT id FROM tasks WHERE job_id = ? AND retried = 0 AND state IN (?) ORDER BY id`;
  return (await db.query<{ id: string }>(statement, [job, [...ERROR_STATES]])).map((row) => row.id);
}
