import type { Queryable } from '../../lib/conn.ts';
import type { PackageRow } from './packages.ts';
import { sql } from './sql.ts';

/**
 * What is written of the streams in the broker: `sealed` when every chunk was confirmed, `read_at` when somebody asked
 * for it last, and the lease of the one dispatcher that fills or deletes it.
 */

/**
 * Only one dispatcher at a time sends an artifact's chunks; false when another one does, or has sent them since the
 * caller looked (`sealed`).
 */
export async function leaseStream(
  db: Queryable,
  seen: PackageRow,
  owner: string,
  leaseMs: number,
  staySealed: boolean,
): Promise<boolean> {
  const statement = sql`
    UPDATE packages SET sealed = ?, lease_owner = ?, lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE sha256 = ? AND sealed = ? AND (lease_until IS NULL OR lease_until < UTC_TIMESTAMP(3))`;
  const stays = staySealed && seen.sealed ? 1 : 0;
  return (await db.run(statement, [stays, owner, leaseMs * 1000, seen.sha256, seen.sealed ? 1 : 0])) > 0;
}

export async function renewStream(
  db: Queryable,
  sha256: string,
  owner: string,
  leaseMs: number,
): Promise<boolean> {
  const statement = sql`
    UPDATE packages SET lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE sha256 = ? AND lease_owner = ?`;
  return (await db.run(statement, [leaseMs * 1000, sha256, owner])) > 0;
}

/** Ends the lease; `sealed` says whether every chunk was confirmed. */
export async function releaseStream(
  db: Queryable,
  sha256: string,
  owner: string,
  sealed: boolean,
): Promise<void> {
  const statement = sql`
    UPDATE packages SET sealed = ?, lease_owner = NULL, lease_until = NULL WHERE sha256 = ? AND lease_owner = ?`;
  await db.run(statement, [sealed ? 1 : 0, sha256, owner]);
}

/** Somebody asks for the artifact now; false when there is none. */
export async function markRead(db: Queryable, sha256: string): Promise<boolean> {
  return (await db.run(sql`UPDATE packages SET read_at = UTC_TIMESTAMP(3) WHERE sha256 = ?`, [sha256])) > 0;
}

/** Nobody has asked for it, nor published it, for so long; and nobody fills or deletes its stream now. */
const UNREAD = sql`COALESCE(read_at, created_at) < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND
  AND (lease_until IS NULL OR lease_until < UTC_TIMESTAMP(3))`;

/** Artifacts whose streams are there and may go. */
export async function unreadStreams(db: Queryable, keepMs: number): Promise<string[]> {
  const statement = sql`SELECT sha256 FROM packages WHERE sealed = 1 AND ${UNREAD}`;
  return (await db.query<{ sha256: string }>(statement, [keepMs * 1000])).map((row) => row.sha256);
}

/** Takes the lease of a stream in order to delete it; false when it is read, filled or deleted after all. */
export async function leaseUnread(
  db: Queryable,
  sha256: string,
  owner: string,
  leaseMs: number,
  keepMs: number,
): Promise<boolean> {
  const statement = sql`
    UPDATE packages
    SET sealed = 0, lease_owner = ?, lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE sha256 = ? AND ${UNREAD}`;
  return (await db.run(statement, [owner, leaseMs * 1000, sha256, keepMs * 1000])) > 0;
}
