import type { Conn, Queryable } from '../../lib/conn.ts';
import { codeOf, type MegaError } from '../../lib/errors.ts';
import { sql } from './sql.ts';

/**
 * The places of the fleet-wide limit of downloads, one row each.
 *
 * INVARIANTS
 * - A host may read only while it holds a row of which its lease has not run out, and a row has one host: so no more
 *   hosts read than there are rows below the limit, however many dispatchers give places away.
 * - A host holds one row at most (the unique key), whatever it reads and however often it asks.
 * - Nothing here needs the host's goodwill: what a dead host held is free once its lease has run out.
 */

/** Makes the places that are missing below `limit`; several dispatchers may do so at once. */
export async function makeSlots(db: Queryable, limit: number): Promise<void> {
  const rows = await db.query<{ slot: number }>(sql`SELECT slot FROM download_slots WHERE slot < ?`, [limit]);
  const there = new Set(rows.map((row) => row.slot));
  const missing = Array.from({ length: limit }, (_, slot) => slot).filter((slot) => !there.has(slot));
  if (missing.length === 0) return;
  await db.run(sql`INSERT IGNORE INTO download_slots (slot) VALUES ?`, [missing.map((slot) => [slot])]);
}

export type Asked = { host: string; sha256: string; leaseMs: number };

/** Renews the place that a host holds, or gives it a free one; false when all below `limit` are taken. */
export async function holdSlot(db: Conn, asked: Asked, limit: number): Promise<boolean> {
  if (await renewSlot(db, asked, limit)) return true;
  // Looking first, without a lock: of the many that are turned away none disturbs those that hold a place.
  if (!(await db.one(sql`SELECT slot FROM download_slots WHERE ${FREE} LIMIT 1`, [limit]))) return false;
  return db
    .transaction((tx) => claimSlot(tx, asked, limit))
    .catch((error: MegaError) => {
      if (codeOf(error.cause) !== 'ER_DUP_ENTRY') throw error;
      return renewSlot(db, asked, limit); // the same host has claimed one in this very moment: that is its place
    });
}

/** Below the limit and nobody's, or its holder's no longer. */
const FREE = sql`slot < ? AND (host_id IS NULL OR lease_until < UTC_TIMESTAMP(3))`;

/**
 * A lapsed one, too, which is still this host's as long as nobody else has taken it; but not one that lies above a
 * limit that was lowered since.
 */
async function renewSlot(db: Queryable, { host, sha256, leaseMs }: Asked, limit: number): Promise<boolean> {
  const statement = sql`
    UPDATE download_slots SET sha256 = ?, lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE host_id = ? AND (slot < ? OR lease_until >= UTC_TIMESTAMP(3))`;
  return (await db.run(statement, [sha256, leaseMs * 1000, host, limit])) > 0;
}

async function claimSlot(tx: Queryable, asked: Asked, limit: number): Promise<boolean> {
  const { host, sha256, leaseMs } = asked;
  const free = await tx.one<{ slot: number }>(
    sql`SELECT slot FROM download_slots WHERE ${FREE} ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [limit],
  );
  if (!free) return false;
  // What it holds above a lowered limit, or has claimed by way of another dispatcher since we looked.
  await tx.run(sql`UPDATE download_slots SET host_id = NULL WHERE host_id = ?`, [host]);
  const statement = sql`
    UPDATE download_slots
    SET host_id = ?, sha256 = ?, lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE slot = ?`;
  await tx.run(statement, [host, sha256, leaseMs * 1000, free.slot]);
  return true;
}

/** Gives a host's place back, unless it holds it for another artifact by now. */
export async function freeSlot(db: Queryable, host: string, sha256: string): Promise<void> {
  const statement = sql`UPDATE download_slots SET host_id = NULL WHERE host_id = ? AND sha256 = ?`;
  await db.run(statement, [host, sha256]);
}
