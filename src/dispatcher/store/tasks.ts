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

export type LockedTask = TaskNow & { job: string; now: Date };

/** The rows behind what was said, locked until the transaction ends; in order of id, so that two never cross. */
export async function lockTasks(db: Queryable, ids: string[]): Promise<LockedTask[]> {
  if (ids.length === 0) return [];
  const statement = sql`
    SELECT id, job_id AS job, host_id AS host, type, state, seq, probe_nonce AS probeNonce,
      CASE WHEN type = 'client_upgrade' THEN args ELSE '{}' END AS args, UTC_TIMESTAMP(3) AS now
    FROM tasks WHERE id IN (?) ORDER BY id FOR UPDATE`;
  const rows = await db.query<LockedTask>(statement, [ids]);
  return rows.map((row) => ({ ...row, args: parsed(row.args) }));
}

/** Records what was said, at this time of the database; said twice, it is recorded once. */
export async function addEvents(db: Queryable, said: (Progress | Result)[], now: Date): Promise<void> {
  if (said.length === 0) return;
  const rows = said.map((one) => {
    return [one.task, one.seq, one.state, one.phase ?? null, one.reason ?? null, one.at, now];
  });
  const statement = sql`
    INSERT IGNORE INTO task_events (task_id, seq, state, phase, reason, agent_ms, recorded_at) VALUES ?`;
  await db.run(statement, [rows]);
}

export type TaskChange = Change & { id: string };

/**
 * Applies changes to tasks that the caller holds locked, each task once: so all of them are there, and nothing is
 * ever inserted. One statement for all, since one for each costs the database three times as much.
 */
export async function applyChanges(db: Queryable, changes: TaskChange[], now: Date): Promise<void> {
  if (changes.length === 0) return;
  const rows = changes.map(({ id, state, seq, phase, reason, late, result }) => {
    const needed = ['', '', '', '{}', 0, now, now];
    return [id, state, seq, phase, reason, late ? 1 : 0, result ? JSON.stringify(result) : null, ...needed];
  });
  const statement = sql`
    INSERT INTO tasks (id, state, seq, phase, reason, late, result,
      job_id, host_id, type, args, timeout_ms, created_at, deadline_at)
    VALUES ?
    ON DUPLICATE KEY UPDATE
      state = VALUES(state), seq = VALUES(seq), phase = COALESCE(VALUES(phase), phase),
      reason = CASE WHEN VALUES(result) IS NULL THEN COALESCE(VALUES(reason), reason) ELSE VALUES(reason) END,
      late = VALUES(late), result = COALESCE(VALUES(result), result),
      lease_until = NULL, heard_at = UTC_TIMESTAMP(3),
      queued_at = COALESCE(queued_at, UTC_TIMESTAMP(3)),
      accepted_at = COALESCE(accepted_at, UTC_TIMESTAMP(3)),
      started_at = CASE WHEN VALUES(state) = 'accepted' THEN started_at ELSE COALESCE(started_at, UTC_TIMESTAMP(3)) END,
      finished_at = CASE WHEN VALUES(result) IS NULL THEN NULL ELSE UTC_TIMESTAMP(3) END`;
  await db.run(statement, [rows]);
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
