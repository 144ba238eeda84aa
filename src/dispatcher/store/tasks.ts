import type { Queryable } from '../../lib/conn.ts';
import type { Progress, Result } from '../../lib/messages.ts';
import type { Change, TaskNow, TaskState } from '../tasks.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

export type TaskRow = {
  id: string;
  job: string;
  host: string;
  type: string;
  args: Record<string, unknown>;
  state: TaskState;
  phase: string | null;
  reason: string | null;
  attempts: number;
  late: boolean;
  fromVersion: string | null;
  createdAt: Date;
  queuedAt: Date | null;
  acceptedAt: Date | null;
  startedAt: Date | null;
  heardAt: Date | null;
  finishedAt: Date | null;
  result: Result | null;
};
export type EventRow = {
  seq: number;
  state: string;
  phase: string | null;
  reason: string | null;
  agentMs: number;
};

const COLUMNS = sql`id, job_id AS job, host_id AS host, type, args, state, phase, reason, attempts, late = 1 AS late,
  from_version AS fromVersion, created_at AS createdAt, queued_at AS queuedAt, accepted_at AS acceptedAt,
  started_at AS startedAt, heard_at AS heardAt, finished_at AS finishedAt, result`;

export async function getTask(db: Queryable, id: string): Promise<TaskRow | undefined> {
  const row = await db.one<TaskRow>(sql`SELECT ${COLUMNS} FROM tasks WHERE id = ?`, [id]);
  return row && told(row);
}

export type TaskFilter = {
  job?: string | undefined;
  host?: string | undefined;
  after: string;
  limit: number;
};

/** Of a job: in order of host. Otherwise the newest first. */
export async function listTasks(db: Queryable, { job, host, after, limit }: TaskFilter): Promise<TaskRow[]> {
  if (job !== undefined) {
    const statement = sql`SELECT ${COLUMNS} FROM tasks WHERE job_id = ? AND host_id > ? ORDER BY host_id LIMIT ?`;
    return (await db.query<TaskRow>(statement, [job, after, limit])).map(told);
  }
  if (host !== undefined) {
    const statement = sql`SELECT ${COLUMNS} FROM tasks WHERE host_id = ? ORDER BY id DESC LIMIT ?`;
    return (await db.query<TaskRow>(statement, [host, limit])).map(told);
  }
  return (await db.query<TaskRow>(sql`SELECT ${COLUMNS} FROM tasks ORDER BY id DESC LIMIT ?`, [limit])).map(
    told,
  );
}

export async function listEvents(db: Queryable, ids: string[]): Promise<(EventRow & { task: string })[]> {
  if (ids.length === 0) return [];
  const statement = sql`
    SELECT task_id AS task, seq, state, phase, reason, agent_ms AS agentMs
    FROM task_events WHERE task_id IN (?) ORDER BY task_id, seq`;
  const rows = await db.query<EventRow & { task: string }>(statement, [ids]);
  return rows.map((row) => ({ ...row, agentMs: Number(row.agentMs) }));
}

/** The rows behind what was said, locked until the transaction ends; in order of id, so that two never cross. */
export async function lockTasks(db: Queryable, ids: string[]): Promise<(TaskNow & { job: string })[]> {
  if (ids.length === 0) return [];
  const statement = sql`
    SELECT id, job_id AS job, host_id AS host, type, state, seq, args, probe_nonce AS probeNonce
    FROM tasks WHERE id IN (?) ORDER BY id FOR UPDATE`;
  const rows = await db.query<TaskNow & { job: string }>(statement, [ids]);
  return rows.map((row) => ({ ...row, args: parsed(row.args) }));
}

/** Records what was said; said twice, it is recorded once. */
export async function addEvents(db: Queryable, said: (Progress | Result)[]): Promise<void> {
  if (said.length === 0) return;
  const clock = await db.one<{ now: Date }>(sql`SELECT UTC_TIMESTAMP(3) AS now`);
  const rows = said.map((one) => [
    one.task,
    one.seq,
    one.state,
    one.phase ?? null,
    one.reason ?? null,
    one.at,
    clock!.now,
  ]);
  const statement = sql`
    INSERT IGNORE INTO task_events (task_id, seq, state, phase, reason, agent_ms, recorded_at) VALUES ?`;
  await db.run(statement, [rows]);
}

export async function applyChange(db: Queryable, id: string, change: Change): Promise<void> {
  const statement = sql`
    UPDATE tasks SET state = ?, seq = ?, phase = COALESCE(?, phase), reason = CASE WHEN ? THEN ? ELSE COALESCE(?, reason) END, late = ?,
      result = COALESCE(?, result), lease_until = NULL, heard_at = UTC_TIMESTAMP(3),
      queued_at = COALESCE(queued_at, UTC_TIMESTAMP(3)),
      accepted_at = COALESCE(accepted_at, UTC_TIMESTAMP(3)),
      started_at = CASE WHEN ? = 'accepted' THEN started_at ELSE COALESCE(started_at, UTC_TIMESTAMP(3)) END,
      finished_at = CASE WHEN ? THEN UTC_TIMESTAMP(3) ELSE NULL END
    WHERE id = ?`;
  const { state, seq, phase, reason, late, result } = change;
  const ended = result ? 1 : 0;
  const found = result ? JSON.stringify(result) : null;
  const words = [ended, reason, reason]; // an end has its own reason, or none
  await db.run(statement, [state, seq, phase, ...words, late ? 1 : 0, found, state, ended, id]);
}

/**
 * The nonce that a new process must answer with: one for each task and boot, so that asking again for the same
 * boot finds the same. Undefined when the task is not an open upgrade of this host.
 */
export async function probeFor(db: Queryable, id: string, host: string, boot: string, nonce: string) {
  const statement = sql`
    UPDATE tasks SET probe_boot = ?, probe_nonce = ?
    WHERE id = ? AND host_id = ? AND type = 'client_upgrade' AND (probe_boot IS NULL OR probe_boot <> ?)`;
  await db.run(statement, [boot, nonce, id, host, boot]);
  const row = await db.one<{ nonce: string }>(
    sql`SELECT probe_nonce AS nonce FROM tasks WHERE id = ? AND host_id = ? AND probe_boot = ?`,
    [id, host, boot],
  );
  return row?.nonce;
}

/** Ends a pending task at once; marks one under way as being cancelled. */
export async function cancelTask(db: Queryable, id: string): Promise<'cancelled' | 'cancelling' | 'ended'> {
  const pending = sql`
    UPDATE tasks SET state = 'cancelled', reason = 'cancelled before it was sent', finished_at = UTC_TIMESTAMP(3)
    WHERE id = ? AND state = 'pending' AND lease_until IS NULL`;
  if ((await db.run(pending, [id])) > 0) return 'cancelled';
  const open = sql`UPDATE tasks SET state = 'cancelling' WHERE id = ? AND state IN ('pending', 'queued', 'accepted', 'running')`;
  if ((await db.run(open, [id])) > 0) return 'cancelling';
  const row = await db.one(sql`SELECT id FROM tasks WHERE id = ? AND state = 'cancelling'`, [id]);
  return row ? 'cancelling' : 'ended';
}

/** Ends what a host that is removed has not taken. */
export async function cancelTasksOf(db: Queryable, host: string): Promise<void> {
  const statement = sql`
    UPDATE tasks SET state = 'cancelled', reason = 'the host was removed', finished_at = UTC_TIMESTAMP(3)
    WHERE host_id = ? AND state IN ('pending', 'queued', 'cancelling') AND accepted_at IS NULL`;
  await db.run(statement, [host]);
}

/** Tasks that a host should know are to be cancelled. */
export async function cancellingOf(db: Queryable, host: string): Promise<string[]> {
  const statement = sql`SELECT id FROM tasks WHERE host_id = ? AND state = 'cancelling'`;
  return (await db.query<{ id: string }>(statement, [host])).map((row) => row.id);
}

const told = (row: TaskRow): TaskRow => ({
  ...row,
  late: Boolean(row.late),
  args: parsed(row.args),
  result: row.result === null ? null : parsed(row.result),
});
