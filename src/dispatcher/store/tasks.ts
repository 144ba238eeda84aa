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
  wave: number;
  tries: number;
  fromVersion: string | null;
  createdAt: Date;
  queuedAt: Date | null;
  acceptedAt: Date | null;
  startedAt: Date | null;
  heardAt: Date | null;
  finishedAt: Date | null;
  result: Result | null;
  /** Of the host, whatever it spoke of. */
  lastSeenAt: Date | null;
  online: boolean;
};
export type EventRow = {
  seq: number;
  state: string;
  phase: string | null;
  reason: string | null;
  agentMs: number;
  /** The database's own time. */
  recordedAt: Date;
};

export const COLUMNS = sql`t.id, t.job_id AS job, t.host_id AS host, t.type, t.args, t.state, t.phase, t.reason, t.attempts,
  t.late = 1 AS late, t.wave, t.tries, t.from_version AS fromVersion, t.created_at AS createdAt,
  t.queued_at AS queuedAt,
  t.accepted_at AS acceptedAt, t.started_at AS startedAt, t.heard_at AS heardAt, t.finished_at AS finishedAt, e.result,
  h.last_seen_at AS lastSeenAt, h.online = 1 AS online`;
/** With the result, which is kept with the last event; a host that was removed has left its tasks behind. */
export const TASKS = sql`tasks t LEFT JOIN task_events e ON e.task_id = t.id AND e.seq = t.seq
  LEFT JOIN hosts h ON h.id = t.host_id`;

export async function getTask(db: Queryable, id: string): Promise<TaskRow | undefined> {
  const row = await db.one<TaskRow>(sql`SELECT ${COLUMNS} FROM ${TASKS} WHERE t.id = ?`, [id]);
  return row && told(row);
}

export type TaskFilter = {
  job?: string | undefined;
  host?: string | undefined;
  /** Of a job only. */
  states?: string[] | undefined;
  /** Of a job only. */
  order?: 'host' | 'slowest';
  after: string;
  limit: number;
};

/**
 * Of a job: in order of host, or those that took longest first, without what was tried again since. Otherwise the newest
 * first.
 */
export async function listTasks(db: Queryable, filter: TaskFilter): Promise<TaskRow[]> {
  const { job, host, states, after, limit } = filter;
  if (job !== undefined && filter.order === 'slowest') return slowestTasks(db, job, states, limit);
  if (job !== undefined && states) {
    const statement = sql`
      SELECT ${COLUMNS} FROM ${TASKS}
      WHERE t.job_id = ? AND t.retried = 0 AND t.host_id > ? AND t.state IN (?) ORDER BY t.host_id LIMIT ?`;
    return (await db.query<TaskRow>(statement, [job, after, states, limit])).map(told);
  }
  if (job !== undefined) {
    const statement = sql`
      SELECT ${COLUMNS} FROM ${TASKS}
      WHERE t.job_id = ? AND t.retried = 0 AND t.host_id > ? ORDER BY t.host_id LIMIT ?`;
    return (await db.query<TaskRow>(statement, [job, after, limit])).map(told);
  }
  if (host !== undefined) {
    const statement = sql`SELECT ${COLUMNS} FROM ${TASKS} WHERE t.host_id = ? ORDER BY t.id DESC LIMIT ?`;
    return (await db.query<TaskRow>(statement, [host, limit])).map(told);
  }
  return (
    await db.query<TaskRow>(sql`SELECT ${COLUMNS} FROM ${TASKS} ORDER BY t.id DESC LIMIT ?`, [limit])
  ).map(told);
}

async function slowestTasks(db: Queryable, job: string, states: string[] | undefined, limit: number) {
  const statement = sql`
    SELECT ${COLUMNS} FROM ${TASKS} WHERE t.job_id = ? AND t.retried = 0 AND t.accepted_at IS NOT NULL ${states ? sql`AND t.state IN (?)` : ''}
    ORDER BY TIMESTAMPDIFF(MICROSECOND, t.accepted_at, COALESCE(t.finished_at, UTC_TIMESTAMP(3))) DESC, t.host_id LIMIT ?`;
  return (await db.query<TaskRow>(statement, [job, ...(states ? [states] : []), limit])).map(told);
}

export async function listEvents(db: Queryable, ids: string[]): Promise<(EventRow & { task: string })[]> {
  if (ids.length === 0) return [];
  const statement = sql`
    SELECT task_id AS task, seq, state, phase, reason, agent_ms AS agentMs, recorded_at AS recordedAt
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

/**
 * Records what was said, at this time of the database; said twice, it is recorded once. A result is kept with the
 * event that brought it: rows that are only ever added cost half of what rows that grow do.
 */
export async function addEvents(db: Queryable, said: (Progress | Result)[], now: Date): Promise<void> {
  if (said.length === 0) return;
  const rows = said.map((one) => {
    const result = one.kind === 'result' ? JSON.stringify(one) : null;
    return [one.task, one.seq, one.state, one.phase ?? null, one.reason ?? null, one.at, now, result];
  });
  const statement = sql`
    INSERT IGNORE INTO task_events (task_id, seq, state, phase, reason, agent_ms, recorded_at, result) VALUES ?`;
  await db.run(statement, [rows]);
}

export type TaskChange = Change & { id: string };

/** Applies changes to tasks that the caller holds locked, each task once; those that change alike in one statement. */
export async function applyChanges(db: Queryable, changes: TaskChange[]): Promise<void> {
  const alike = ({ state, seq, phase, reason, late, result }: TaskChange) =>
    JSON.stringify([state, seq, phase, reason, late, result !== null]);
  for (const group of Map.groupBy(changes, alike).values()) {
    const ids = group.map((one) => one.id);
    await (group[0]!.result ? end(db, ids, group[0]!) : advance(db, ids, group[0]!));
  }
}

async function advance(db: Queryable, ids: string[], { state, seq, phase, reason }: Change): Promise<void> {
  const statement = sql`
    UPDATE tasks SET state = ?, seq = ?, phase = COALESCE(?, phase), reason = COALESCE(?, reason),
      lease_until = NULL, heard_at = UTC_TIMESTAMP(3), finished_at = NULL,
      queued_at = COALESCE(queued_at, UTC_TIMESTAMP(3)), accepted_at = COALESCE(accepted_at, UTC_TIMESTAMP(3)),
      started_at = CASE WHEN ? = 'accepted' THEN started_at ELSE COALESCE(started_at, UTC_TIMESTAMP(3)) END
    WHERE id IN (?)`;
  await db.run(statement, [state, seq, phase, reason, state, ids]);
}

/** An end has its own reason, or none. */
async function end(db: Queryable, ids: string[], { state, seq, phase, reason, late }: Change): Promise<void> {
  const statement = sql`
    UPDATE tasks SET state = ?, seq = ?, phase = COALESCE(?, phase), reason = ?, late = ?,
      lease_until = NULL, heard_at = UTC_TIMESTAMP(3), finished_at = UTC_TIMESTAMP(3),
      queued_at = COALESCE(queued_at, UTC_TIMESTAMP(3)), accepted_at = COALESCE(accepted_at, UTC_TIMESTAMP(3)),
      started_at = COALESCE(started_at, UTC_TIMESTAMP(3))
    WHERE id IN (?)`;
  await db.run(statement, [state, seq, phase, reason, late ? 1 : 0, ids]);
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

/** Ends what a host that is removed has not taken; of what it had begun nobody will hear. */
export async function cancelTasksOf(db: Queryable, host: string): Promise<void> {
  const statement = sql`
    UPDATE tasks SET state = 'cancelled', reason = 'the host was removed', finished_at = UTC_TIMESTAMP(3)
    WHERE host_id = ? AND state IN ('pending', 'queued', 'cancelling') AND accepted_at IS NULL`;
  await db.run(statement, [host]);
  const begun = sql`
    UPDATE tasks SET state = 'lost', reason = 'the host was removed while it was at it', finished_at = UTC_TIMESTAMP(3)
    WHERE host_id = ? AND state IN ('accepted', 'running', 'cancelling')`;
  await db.run(begun, [host]);
}

/** Tasks that these hosts should know are to be cancelled, by host. */
export async function cancellingOf(db: Queryable, hosts: string[]): Promise<Map<string, string[]>> {
  const statement = sql`SELECT id, host_id AS host FROM tasks WHERE state = 'cancelling' AND host_id IN (?)`;
  const rows = await db.query<{ id: string; host: string }>(statement, [hosts]);
  const byHost = Map.groupBy(rows, (row) => row.host);
  return new Map([...byHost].map(([host, tasks]) => [host, tasks.map((one) => one.id)]));
}

export const told = (row: TaskRow): TaskRow => ({
  ...row,
  late: Boolean(row.late),
  online: Boolean(row.online),
  args: parsed(row.args),
  result: row.result === null ? null : parsed(row.result),
});
