import type { Conn, Queryable } from '../../lib/conn.ts';
import { lookAtAway } from './catchup.ts';
import { HELD, HELD_WHY } from './holds.ts';
import { NOT_QUARANTINED } from './quarantine.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/**
 * What is due: claimed in a short transaction with SKIP LOCKED, committed, and only then acted upon. A claim
 * bears a lease, so that what a dead dispatcher had claimed becomes due again.
 */
export type DueTask = {
  id: string;
  host: string;
  type: string;
  args: Record<string, unknown>;
  /** How often it was claimed, this time included. */
  attempt: number;
  timeoutMs: number;
  /** How long the order may live: the usual time, or what is left until the task's deadline. */
  ttlMs: number;
};

const LEASE_MS = 30_000;

/**
 * Whether an order of the task `t` may be sent to its host `h` now: it is online, and nobody holds it, or it is only asked
 * whether it is there; and it is no upgrade to what is in quarantine. The one place that says so.
 */
export const SENDABLE = sql`h.online = 1 AND (t.type = 'ping' OR ${HELD} = 0) AND ${NOT_QUARANTINED}`;
/** Nobody is just sending it. */
export const UNLEASED = sql`COALESCE(t.lease_until < UTC_TIMESTAMP(3), 1) = 1`;

/**
 * Pending tasks that may start, each claimed, oldest first; while all is frozen, pings alone. And the last that was looked
 * at, to go on `after` it. What is claimed stays pending for a while: to begin at the front each time would read all of
 * that again.
 */
export async function claimPending(
  db: Conn,
  after: string,
  orderTtlMs: number,
  limit: number,
): Promise<{ due: DueTask[]; last: string | undefined }> {
  const candidates = await db.query<{ id: string }>(
    sql`
      SELECT t.id FROM tasks t JOIN hosts h ON h.id = t.host_id
      WHERE t.state = 'pending' AND t.ready = 1 AND t.id > ? AND ${SENDABLE} AND t.deadline_at > UTC_TIMESTAMP(3)
        AND ${UNLEASED} AND (t.type = 'ping' OR NOT EXISTS (SELECT 1 FROM freeze))
      ORDER BY t.id LIMIT ?`,
    [after, limit],
  );
  if (candidates.length === 0) return { due: [], last: undefined };
  const ids = candidates.map((row) => row.id);
  const due = await db.transaction(async (tx): Promise<DueTask[]> => {
    const rows = await tx.query<DueTask>(
      sql`
        SELECT id, host_id AS host, type, args, attempts + 1 AS attempt, timeout_ms AS timeoutMs,
          LEAST(?, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), deadline_at) / 1000) AS ttlMs
        FROM tasks t
        WHERE id IN (?) AND state = 'pending' AND ready = 1 AND ${UNLEASED}
        ORDER BY id FOR UPDATE SKIP LOCKED`,
      [orderTtlMs, ids],
    );
    if (rows.length === 0) return [];
    const statement = sql`
      UPDATE tasks SET lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND,
        order_expires_at = LEAST(UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, deadline_at), attempts = attempts + 1
      WHERE id IN (?)`;
    await tx.run(statement, [LEASE_MS * 1000, orderTtlMs * 1000, rows.map((row) => row.id)]);
    return rows.map((row) => ({
      ...row,
      attempt: Number(row.attempt),
      timeoutMs: Number(row.timeoutMs),
      ttlMs: Math.max(1, Math.floor(Number(row.ttlMs))),
      args: parsed(row.args),
    }));
  });
  return { due, last: ids.at(-1) };
}

/** The broker confirmed the orders. Those of which the agent was heard meanwhile are further already. */
export async function markQueued(db: Queryable, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const statement = sql`
    UPDATE tasks SET state = 'queued', queued_at = UTC_TIMESTAMP(3), lease_until = NULL, returned = 0
    WHERE id IN (?) AND state = 'pending'`;
  await db.run(statement, [ids]);
}

/**
 * The broker gave the orders back, or did not answer: due again after a pause, until their deadline. One that was given
 * back leaves its place within the limits of a job to others meanwhile.
 */
export async function markUnsent(
  db: Queryable,
  ids: string[],
  returned: boolean,
  pauseMs: number,
): Promise<void> {
  if (ids.length === 0) return;
  const statement = sql`
    UPDATE tasks t JOIN jobs j ON j.id = t.job_id
    SET t.ready = CASE WHEN ? = 1 AND j.limits IS NOT NULL THEN 0 ELSE t.ready END,
      t.returned = ?, t.lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE t.id IN (?) AND t.state = 'pending'`;
  await db.run(statement, [returned ? 1 : 0, returned ? 1 : 0, pauseMs * 1000, ids]);
}

/**
 * Orders that expired unread: their tasks wait again, to be sent anew when the host is heard; where the job is driven,
 * within its limits.
 */
export async function returnExpiredOrders(db: Queryable, graceMs: number): Promise<number> {
  const statement = sql`
    UPDATE tasks t JOIN jobs j ON j.id = t.job_id
    SET t.state = 'pending', t.lease_until = NULL, t.ready = CASE WHEN j.limits IS NULL THEN 1 ELSE 0 END
    WHERE t.state = 'queued' AND t.order_expires_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND`;
  return db.run(statement, [graceMs * 1000]);
}

/** Tasks whose deadline passed before their host took them; of jobs that are driven their driver sees to that. */
export async function expireTasks(db: Queryable): Promise<number> {
  const jobs = await db.query<{ id: string }>(sql`
    SELECT id FROM jobs
    WHERE state = 'running' AND limits IS NULL AND (deadline_at IS NULL OR deadline_at < UTC_TIMESTAMP(3))`);
  if (jobs.length === 0) return 0;
  await lookAtAway(
    db,
    jobs.map((job) => job.id),
  );
  const statement = sql`
    UPDATE tasks SET finished_at = UTC_TIMESTAMP(3), lease_until = NULL,
      reason = CASE WHEN returned = 1 THEN 'the host has no queue' ELSE COALESCE(
        (SELECT CONCAT('the host was held ', ${HELD_WHY}) FROM hosts h WHERE h.id = host_id AND ${HELD} = 1),
        'the host was not there in time') END,
      state = CASE WHEN returned = 1 THEN 'undeliverable' ELSE 'expired' END
    WHERE job_id IN (?) AND retried = 0 AND state = 'pending' AND deadline_at < UTC_TIMESTAMP(3)
      AND (lease_until IS NULL OR lease_until < UTC_TIMESTAMP(3))`;
  return db.run(statement, [jobs.map((job) => job.id)]);
}

/** Cancelled while their order was on its way, and nobody took it in all the time since. */
export async function cancelUntaken(db: Queryable, graceMs: number): Promise<number> {
  const statement = sql`
    UPDATE tasks SET state = 'cancelled', finished_at = UTC_TIMESTAMP(3), reason = 'cancelled before it was taken'
    WHERE state = 'cancelling' AND accepted_at IS NULL
      AND order_expires_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND`;
  return db.run(statement, [graceMs * 1000]);
}

/** Accepted, then silent past the task's own limit and a grace. */
export async function markLost(db: Queryable, graceMs: number): Promise<number> {
  const statement = sql`
    UPDATE tasks SET state = 'lost', finished_at = UTC_TIMESTAMP(3),
      reason = CONCAT('not heard of since ', heard_at, ' UTC')
    WHERE state IN ('accepted', 'running', 'cancelling') AND accepted_at IS NOT NULL
      AND TIMESTAMPADD(MICROSECOND, (timeout_ms + ?) * 1000, heard_at) < UTC_TIMESTAMP(3)`;
  return db.run(statement, [graceMs]);
}
