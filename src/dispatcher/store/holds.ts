import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

/** Whether an operator holds the host: 1 or 0. One whose time is over holds no more, without anybody's doing. */
export const OPERATOR_HOLDS = sql`
  CASE WHEN held_by IS NOT NULL AND (held_until IS NULL OR held_until > UTC_TIMESTAMP(3)) THEN 1 ELSE 0 END`;
/** Whether somebody holds it, its owner or an operator. */
export const HELD = sql`CASE WHEN owner_hold IS NOT NULL THEN 1 ELSE ${OPERATOR_HOLDS} END`;
/** Why, in one line. */
export const HELD_WHY = sql`COALESCE(CONCAT('by its owner: ', owner_hold), CONCAT('by ', held_by, ': ', held_reason))`;

/** An operator's. */
export type Hold = { by: string; reason: string; until: Date | null };
/** `forMs`: from now on, by the database's clock. */
export type NewHold = Hold & { forMs: number | null };

export async function setHold(db: Queryable, hosts: string[], hold: NewHold): Promise<void> {
  if (hosts.length === 0) return;
  const statement = sql`
    UPDATE hosts SET held_by = ?, held_reason = ?,
      held_until = COALESCE(UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, ?)
    WHERE id IN (?)`;
  const { by, reason, until, forMs } = hold;
  await db.run(statement, [by, reason, forMs === null ? null : forMs * 1000, until, hosts]);
}

/** Ends the operators' holds of these hosts; of how many there was one. */
export async function endHold(db: Queryable, hosts: string[]): Promise<number> {
  if (hosts.length === 0) return 0;
  const held = sql`SELECT id FROM hosts WHERE id IN (?) AND ${OPERATOR_HOLDS} = 1 FOR UPDATE`;
  const rows = await db.query(held, [hosts]);
  const end = sql`
    UPDATE hosts SET held_by = NULL, held_reason = NULL, held_until = NULL
    WHERE id IN (?) AND held_by IS NOT NULL`;
  await db.run(end, [hosts]);
  return rows.length;
}

/** What the owner's file says; null: there is none. */
export async function setOwnerHold(db: Queryable, host: string, reason: string | null): Promise<void> {
  await db.run(sql`UPDATE hosts SET owner_hold = ? WHERE id = ?`, [reason, host]);
}
