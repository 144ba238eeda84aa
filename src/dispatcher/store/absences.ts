import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

export type Absent = { id: string; lastSeenAt: Date; cutOffReason: string | null };

/** Away, without having said goodbye, and nobody was told of it yet. */
const UNTOLD = sql`online = 0 AND lost_at IS NULL AND (left_at IS NULL OR left_at < last_seen_at)`;

export async function areSomeAway(db: Queryable): Promise<boolean> {
  const statement = sql`SELECT id FROM hosts WHERE ${UNTOLD} AND last_seen_at IS NOT NULL LIMIT 1`;
  return (await db.one(statement)) !== undefined;
}

/** Those not heard of for so long, from now on lost: whoever gets them in this transaction tells of them. */
export async function takeLost(tx: Queryable, afterMs: number, limit: number): Promise<Absent[]> {
  const statement = sql`
    SELECT id, last_seen_at AS lastSeenAt, cut_off_reason AS cutOffReason FROM hosts
    WHERE ${UNTOLD} AND last_seen_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND LIMIT ? FOR UPDATE SKIP LOCKED`;
  const rows = await tx.query<Absent>(statement, [afterMs * 1000, limit]);
  await setLost(tx, rows, sql`UTC_TIMESTAMP(3)`);
  return rows;
}

/** Those that were told to be lost, and are there again. */
export async function takeBack(
  tx: Queryable,
  limit: number,
): Promise<{ id: string; lostAt: Date; version: string | null }[]> {
  const statement = sql`
    SELECT id, lost_at AS lostAt, version FROM hosts WHERE lost_at IS NOT NULL AND online = 1 LIMIT ?
    FOR UPDATE SKIP LOCKED`;
  const rows = await tx.query<{ id: string; lostAt: Date; version: string | null }>(statement, [limit]);
  await setLost(tx, rows, sql`NULL`);
  return rows;
}

async function setLost(tx: Queryable, hosts: { id: string }[], when: string): Promise<void> {
  if (hosts.length === 0) return;
  await tx.run(sql`UPDATE hosts SET lost_at = ${when} WHERE id IN (?)`, [hosts.map((one) => one.id)]);
}
