import type { Queryable } from '../../lib/conn.ts';
import type { Manifest } from '../../lib/messages.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

export type PackageRow = {
  version: string;
  sha256: string;
  size: number;
  chunkBytes: number;
  chunks: number;
  manifest: Manifest;
  state: 'uploading' | 'ready';
  sealed: boolean;
  createdAt: Date;
  createdBy: string;
};

const COLUMNS = sql`version, sha256, size, chunk_bytes AS chunkBytes, chunks, manifest, state, sealed = 1 AS sealed,
  created_at AS createdAt, created_by AS createdBy`;

export type NewPackage = Pick<
  PackageRow,
  'version' | 'sha256' | 'size' | 'chunkBytes' | 'chunks' | 'manifest'
>;

/** Does nothing where the version is there already; the caller compares sha256. */
export async function addPackage(db: Queryable, one: NewPackage, by: string): Promise<void> {
  const statement = sql`
    INSERT IGNORE INTO packages (version, sha256, size, chunk_bytes, chunks, manifest, state, created_at, created_by)
    VALUES (?, ?, ?, ?, ?, ?, 'uploading', UTC_TIMESTAMP(3), ?)`;
  const { version, sha256, size, chunkBytes, chunks, manifest } = one;
  await db.run(statement, [version, sha256, size, chunkBytes, chunks, JSON.stringify(manifest), by]);
}

export async function getPackage(db: Queryable, version: string): Promise<PackageRow | undefined> {
  const row = await db.one<PackageRow>(sql`SELECT ${COLUMNS} FROM packages WHERE version = ?`, [version]);
  return row && told(row);
}

export async function getPackageBySha(db: Queryable, sha256: string): Promise<PackageRow | undefined> {
  const row = await db.one<PackageRow>(sql`SELECT ${COLUMNS} FROM packages WHERE sha256 = ?`, [sha256]);
  return row && told(row);
}

export async function listPackages(db: Queryable): Promise<PackageRow[]> {
  return (await db.query<PackageRow>(sql`SELECT ${COLUMNS} FROM packages ORDER BY created_at, version`)).map(
    told,
  );
}

export async function putChunk(db: Queryable, sha256: string, chunk: number, bytes: Buffer): Promise<void> {
  await db.run(sql`INSERT IGNORE INTO package_chunks (sha256, chunk, bytes) VALUES (?, ?, ?)`, [
    sha256,
    chunk,
    bytes,
  ]);
}

export async function getChunk(db: Queryable, sha256: string, chunk: number): Promise<Buffer | undefined> {
  const statement = sql`SELECT bytes FROM package_chunks WHERE sha256 = ? AND chunk = ?`;
  return (await db.one<{ bytes: Buffer }>(statement, [sha256, chunk]))?.bytes;
}

export async function presentChunks(db: Queryable, sha256: string): Promise<number[]> {
  const rows = await db.query<{ chunk: number }>(
    sql`SELECT chunk FROM package_chunks WHERE sha256 = ? ORDER BY chunk`,
    [sha256],
  );
  return rows.map((row) => row.chunk);
}

export async function markReady(db: Queryable, sha256: string): Promise<void> {
  await db.run(sql`UPDATE packages SET state = 'ready' WHERE sha256 = ?`, [sha256]);
}

/** An upload that turned out not to be what it said; its bytes are of no use to anybody. */
export async function dropUpload(db: Queryable, sha256: string): Promise<void> {
  await db.run(sql`DELETE FROM package_chunks WHERE sha256 = ?`, [sha256]);
  await db.run(sql`DELETE FROM packages WHERE sha256 = ? AND state = 'uploading'`, [sha256]);
}

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
  return (
    (await db.run(statement, [
      staySealed && seen.sealed ? 1 : 0,
      owner,
      leaseMs * 1000,
      seen.sha256,
      seen.sealed ? 1 : 0,
    ])) > 0
  );
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

const told = (row: PackageRow): PackageRow => ({
  ...row,
  size: Number(row.size),
  sealed: Boolean(row.sealed),
  manifest: parsed<Manifest>(row.manifest),
});
