import type { Conn, Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

/** `due`: its job is to be made. The others are ends: a job was made, or there is none and `reason` says why. */
export type FiringState = 'due' | 'made' | 'missed' | 'skipped' | 'failed';
export type FiringRow = {
  schedule: string;
  dueAt: Date;
  state: FiringState;
  firedAt: Date;
  job: string | null;
  reason: string | null;
};
export type NewFiring = Pick<FiringRow, 'dueAt' | 'state' | 'reason'>;

const COLUMNS = sql`schedule_id AS schedule, due_at AS dueAt, state, fired_at AS firedAt, job_id AS job, reason`;

/** A time that has a row already keeps it. */
export async function addFiring(tx: Queryable, schedule: string, firing: NewFiring): Promise<void> {
  const insert = sql`
    INSERT IGNORE INTO firings (schedule_id, due_at, state, fired_at, reason) VALUES (?, ?, ?, UTC_TIMESTAMP(3), ?)`;
  await tx.run(insert, [schedule, firing.dueAt, firing.state, firing.reason]);
}

/** Those whose job is to be made and that nobody is making, each claimed for so long. */
export async function claimFirings(
  db: Conn,
  owner: string,
  leaseMs: number,
  limit: number,
): Promise<FiringRow[]> {
  return db.transaction(async (tx) => {
    const statement = sql`
      SELECT ${COLUMNS} FROM firings
      WHERE state = 'due' AND (lease_until IS NULL OR lease_until < UTC_TIMESTAMP(3))
      ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED`;
    const rows = await tx.query<FiringRow>(statement, [limit]);
    const claim = sql`
      UPDATE firings SET lease_owner = ?, lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
      WHERE schedule_id = ? AND due_at = ?`;
    for (const { schedule, dueAt } of rows) await tx.run(claim, [owner, leaseMs * 1000, schedule, dueAt]);
    return rows;
  });
}

/** Not now: it is due again after a pause. */
export async function putOff(db: Queryable, { schedule, dueAt }: FiringRow, pauseMs: number): Promise<void> {
  const statement = sql`
    UPDATE firings SET lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE schedule_id = ? AND due_at = ? AND state = 'due'`;
  await db.run(statement, [pauseMs * 1000, schedule, dueAt]);
}

/** The job is there, whatever was thought before. A reason that says how late it is stays. */
export async function markMade(tx: Queryable, { schedule, dueAt }: FiringRow, job: string): Promise<void> {
  const statement = sql`
    UPDATE firings SET state = 'made', job_id = ?, lease_until = NULL WHERE schedule_id = ? AND due_at = ?`;
  await tx.run(statement, [job, schedule, dueAt]);
  await tx.run(sql`UPDATE jobs SET schedule_id = ? WHERE id = ?`, [schedule, job]);
}

/** False when another dispatcher was faster. */
export async function endFiring(
  tx: Queryable,
  { schedule, dueAt }: FiringRow,
  state: FiringState,
  reason: string,
): Promise<boolean> {
  const statement = sql`
    UPDATE firings SET state = ?, reason = ?, lease_until = NULL
    WHERE schedule_id = ? AND due_at = ? AND state = 'due'`;
  return (await tx.run(statement, [state, reason, schedule, dueAt])) > 0;
}

/** A job that an operator had made at once stands among the others by the time when it was made; asked again, it is the same. */
export async function addMade(tx: Queryable, schedule: string, job: string, reason: string): Promise<void> {
  const insert = sql`
    INSERT IGNORE INTO firings (schedule_id, due_at, state, fired_at, job_id, reason)
    SELECT ?, created_at, 'made', created_at, id, ? FROM jobs WHERE id = ?`;
  await tx.run(insert, [schedule, reason, job]);
  await tx.run(sql`UPDATE jobs SET schedule_id = ? WHERE id = ?`, [schedule, job]);
}

/** The latest first. */
export async function listFirings(db: Queryable, schedule: string, limit: number): Promise<FiringRow[]> {
  const statement = sql`SELECT ${COLUMNS} FROM firings WHERE schedule_id = ? ORDER BY due_at DESC LIMIT ?`;
  return db.query<FiringRow>(statement, [schedule, limit]);
}

/** The latest of each schedule. */
export async function lastFirings(db: Queryable): Promise<Map<string, FiringRow>> {
  const statement = sql`
    SELECT ${COLUMNS} FROM firings f
    WHERE due_at = (SELECT MAX(l.due_at) FROM firings l WHERE l.schedule_id = f.schedule_id)`;
  return new Map((await db.query<FiringRow>(statement)).map((row) => [row.schedule, row]));
}

export async function hasDueFiring(db: Queryable, schedule: string): Promise<boolean> {
  const statement = sql`SELECT due_at FROM firings WHERE schedule_id = ? AND state = 'due' LIMIT 1`;
  return (await db.one(statement, [schedule])) !== undefined;
}

/** What is older goes, and so do the schedules that have fired for the last time and of which nothing is left. */
export async function forgetFirings(db: Queryable, keepMs: number, limit: number): Promise<void> {
  const old = sql`
    DELETE FROM firings WHERE fired_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND AND state <> 'due'
    ORDER BY fired_at LIMIT ?`;
  await db.run(old, [keepMs * 1000, limit]);
  const done = sql`
    DELETE FROM schedules WHERE paused = 0 AND next_due_at IS NULL
      AND created_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND
      AND NOT EXISTS (SELECT 1 FROM firings f WHERE f.schedule_id = schedules.id)
    LIMIT ?`;
  await db.run(done, [keepMs * 1000, limit]);
}
