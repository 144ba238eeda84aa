import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

/** A host that is cut off, or was and is to be let in again. */
export type CutOff = {
  host: string;
  until: Date;
  reason: string;
  /** Less than nothing once it may come back. */
  leftMs: number;
  /** The broker was told that it is cut off until then. */
  applied: boolean;
};

/** Cuts a host off, unless it is so already; false for a host that is not registered. */
export async function cutOff(db: Queryable, host: string, reason: string, pauseMs: number): Promise<boolean> {
  const statement = sql`
    UPDATE hosts SET cut_off_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, cut_off_reason = ?, cut_off_applied = 0
    WHERE id = ? AND (cut_off_until IS NULL OR cut_off_until <= UTC_TIMESTAMP(3))`;
  if ((await db.run(statement, [pauseMs * 1000, reason.slice(0, 255), host])) > 0) return true;
  return (await db.one(sql`SELECT id FROM hosts WHERE id = ?`, [host])) !== undefined;
}

const COLUMNS = sql`id AS host, cut_off_until AS until, cut_off_reason AS reason, cut_off_applied = 1 AS applied,
  TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), cut_off_until) / 1000 AS leftMs`;

export async function listCutOffs(db: Queryable): Promise<CutOff[]> {
  const statement = sql`SELECT ${COLUMNS} FROM hosts WHERE cut_off_until IS NOT NULL`;
  return (await db.query<CutOff>(statement)).map(told);
}

export async function cutOffOf(db: Queryable, host: string): Promise<CutOff | undefined> {
  const statement = sql`SELECT ${COLUMNS} FROM hosts WHERE id = ? AND cut_off_until IS NOT NULL`;
  const row = await db.one<CutOff>(statement, [host]);
  return row && told(row);
}

/** The broker was told; false when something else holds by now. */
export async function markApplied(db: Queryable, { host, until }: CutOff): Promise<boolean> {
  const statement = sql`UPDATE hosts SET cut_off_applied = 1 WHERE id = ? AND cut_off_until = ?`;
  return (await db.run(statement, [host, until])) > 0;
}

/** The broker lets the host in again; false when something else holds by now. */
export async function endCutOff(db: Queryable, { host, until }: CutOff): Promise<boolean> {
  const statement = sql`
    UPDATE hosts SET cut_off_until = NULL, cut_off_reason = NULL, cut_off_applied = 0
    WHERE id = ? AND cut_off_until = ?`;
  return (await db.run(statement, [host, until])) > 0;
}

/** It may come back at once; false when it is not cut off. */
export async function shortenCutOff(db: Queryable, host: string): Promise<boolean> {
  const statement = sql`
    UPDATE hosts SET cut_off_until = UTC_TIMESTAMP(3), cut_off_applied = 0
    WHERE id = ? AND cut_off_until IS NOT NULL`;
  return (await db.run(statement, [host])) > 0;
}

const told = (row: CutOff): CutOff => ({
  ...row,
  applied: Boolean(row.applied),
  leftMs: Number(row.leftMs),
});
