import type { Queryable } from '../../lib/conn.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/** `skip`: a time at which nobody could fire is left out; `run`: it is made up for, if it is not later than the grace. */
export type MissedRule = 'skip' | 'run';
export type ScheduleRow = {
  id: string;
  name: string;
  timing: string;
  zone: string;
  fn: string;
  args: Record<string, unknown>;
  missed: MissedRule;
  graceMs: number;
  paused: boolean;
  nextDueAt: Date | null;
  createdAt: Date;
  owner: string;
  /** The database's time at which it was read. */
  now: Date;
};

const COLUMNS = sql`id, name, timing, zone, fn, args, missed, grace_ms AS graceMs, paused = 1 AS paused,
  next_due_at AS nextDueAt, created_at AS createdAt, owner, UTC_TIMESTAMP(3) AS now`;

export type NewSchedule = Pick<
  ScheduleRow,
  'id' | 'name' | 'timing' | 'zone' | 'fn' | 'args' | 'missed' | 'graceMs' | 'nextDueAt' | 'owner'
> & { callKey: string };

/** False when another call has made a schedule of that name. */
export async function addSchedule(db: Queryable, schedule: NewSchedule): Promise<boolean> {
  const { id, name, timing, zone, fn, args, missed, graceMs, nextDueAt, owner, callKey } = schedule;
  const insert = sql`
    INSERT IGNORE INTO schedules (id, name, timing, zone, fn, args, missed, grace_ms, next_due_at, created_at, owner,
      call_key)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3), ?, ?)`;
  const about = [
    id,
    name,
    timing,
    zone,
    fn,
    JSON.stringify(args),
    missed,
    graceMs,
    nextDueAt,
    owner,
    callKey,
  ];
  await db.run(insert, about);
  const mine = sql`SELECT id FROM schedules WHERE name = ? AND call_key = ?`;
  return (await db.one(mine, [name, callKey])) !== undefined;
}

export async function getSchedule(db: Queryable, name: string): Promise<ScheduleRow | undefined> {
  const row = await db.one<ScheduleRow>(sql`SELECT ${COLUMNS} FROM schedules WHERE name = ?`, [name]);
  return row && told(row);
}

export async function getScheduleById(db: Queryable, id: string): Promise<ScheduleRow | undefined> {
  const row = await db.one<ScheduleRow>(sql`SELECT ${COLUMNS} FROM schedules WHERE id = ?`, [id]);
  return row && told(row);
}

export async function listSchedules(db: Queryable): Promise<ScheduleRow[]> {
  return (await db.query<ScheduleRow>(sql`SELECT ${COLUMNS} FROM schedules ORDER BY name`)).map(told);
}

export async function countSchedules(db: Queryable): Promise<number> {
  return Number((await db.one<{ n: number }>(sql`SELECT COUNT(*) AS n FROM schedules`))!.n);
}

/** Those whose time has come, and while all is frozen pings alone; locked until the transaction ends; what another dispatcher has locked is its own. */
export async function lockDueSchedules(tx: Queryable, limit: number): Promise<ScheduleRow[]> {
  const statement = sql`
    SELECT ${COLUMNS} FROM schedules
    WHERE paused = 0 AND next_due_at <= UTC_TIMESTAMP(3)
      AND (fn = 'ping' OR NOT EXISTS (SELECT 1 FROM freeze)) ORDER BY next_due_at LIMIT ? FOR UPDATE SKIP LOCKED`;
  return (await tx.query<ScheduleRow>(statement, [limit])).map(told);
}

export async function setNextDue(tx: Queryable, id: string, nextDueAt: Date | null): Promise<void> {
  await tx.run(sql`UPDATE schedules SET next_due_at = ? WHERE id = ?`, [nextDueAt, id]);
}

export async function setPaused(
  db: Queryable,
  id: string,
  paused: boolean,
  next: Date | null,
): Promise<void> {
  const statement = sql`UPDATE schedules SET paused = ?, next_due_at = ? WHERE id = ?`;
  await db.run(statement, [paused ? 1 : 0, next, id]);
}

/** With what became of its times; its jobs stay. */
export async function removeSchedule(tx: Queryable, id: string): Promise<void> {
  await tx.run(sql`DELETE FROM firings WHERE schedule_id = ?`, [id]);
  await tx.run(sql`DELETE FROM schedules WHERE id = ?`, [id]);
}

/** A job of the schedule that has not ended. */
export async function openJobOf(db: Queryable, id: string): Promise<string | undefined> {
  const statement = sql`
    SELECT id FROM jobs WHERE schedule_id = ? AND state IN ('pending', 'running', 'paused', 'cancelling') LIMIT 1`;
  return (await db.one<{ id: string }>(statement, [id]))?.id;
}

const told = (row: ScheduleRow): ScheduleRow => ({
  ...row,
  args: parsed(row.args),
  graceMs: Number(row.graceMs),
  paused: Boolean(row.paused),
});
