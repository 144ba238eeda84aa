import type { Queryable } from '../../lib/conn.ts';
import type { Manifest, PackageManifest, RuntimeManifest } from '../../lib/manifest.ts';
import { OPEN_STATES } from '../tasks.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

type Stored = {
  /** A release's version, or a runtime's name with its platform; no two packages bear the same. */
  name: string;
  sha256: string;
  size: number;
  chunkBytes: number;
  chunks: number;
  state: 'uploading' | 'ready';
  sealed: boolean;
  createdAt: Date;
  createdBy: string;
  /** No host is sent to it. */
  quarantinedAt: Date | null;
  quarantineReason: string | null;
  /** When its last quarantine was ended. */
  releasedAt: Date | null;
};
export type ReleaseRow = Stored & { kind: 'release'; manifest: Manifest };
export type RuntimeRow = Stored & { kind: 'runtime'; manifest: RuntimeManifest };
export type PackageRow = ReleaseRow | RuntimeRow;

const COLUMNS = sql`name, kind, sha256, size, chunk_bytes AS chunkBytes, chunks, manifest, state, sealed = 1 AS sealed,
  created_at AS createdAt, created_by AS createdBy, quarantined_at AS quarantinedAt,
  quarantine_reason AS quarantineReason, released_at AS releasedAt`;

export type NewPackage = Pick<
  PackageRow,
  'name' | 'kind' | 'sha256' | 'size' | 'chunkBytes' | 'chunks' | 'manifest'
>;

/** Does nothing where the name is there already; the caller compares sha256. */
export async function addPackage(db: Queryable, one: NewPackage, by: string): Promise<void> {
  const statement = sql`
    INSERT IGNORE INTO packages (name, kind, sha256, size, chunk_bytes, chunks, manifest, state, created_at, created_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, 'uploading', UTC_TIMESTAMP(3), ?)`;
  const { name, kind, sha256, size, chunkBytes, chunks, manifest } = one;
  await db.run(statement, [name, kind, sha256, size, chunkBytes, chunks, JSON.stringify(manifest), by]);
}

export async function getPackage(db: Queryable, name: string): Promise<PackageRow | undefined> {
  const row = await db.one<PackageRow>(sql`SELECT ${COLUMNS} FROM packages WHERE name = ?`, [name]);
  return row && told(row);
}

export async function getPackageBySha(db: Queryable, sha256: string): Promise<PackageRow | undefined> {
  const row = await db.one<PackageRow>(sql`SELECT ${COLUMNS} FROM packages WHERE sha256 = ?`, [sha256]);
  return row && told(row);
}

export async function listPackages(db: Queryable): Promise<PackageRow[]> {
  return (await db.query<PackageRow>(sql`SELECT ${COLUMNS} FROM packages ORDER BY created_at, name`)).map(
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

/** Of these artifacts, those that have a row, whatever its state. */
export async function knownArtifacts(db: Queryable, sha256s: string[]): Promise<Set<string>> {
  if (sha256s.length === 0) return new Set();
  const statement = sql`SELECT sha256 FROM packages WHERE sha256 IN (?)`;
  return new Set((await db.query<{ sha256: string }>(statement, [sha256s])).map((row) => row.sha256));
}

/** Removes a package and its chunks, and who went back from it, in the caller's transaction. */
export async function removePackage(db: Queryable, { name, sha256 }: PackageRow): Promise<void> {
  await db.run(sql`DELETE FROM rollbacks WHERE version = ?`, [name]);
  await db.run(sql`DELETE FROM package_chunks WHERE sha256 = ?`, [sha256]);
  await db.run(sql`DELETE FROM packages WHERE sha256 = ?`, [sha256]);
}

/** The row as it stays until the caller's transaction ends. */
export async function lockPackage(db: Queryable, name: string): Promise<PackageRow | undefined> {
  const row = await db.one<PackageRow>(sql`SELECT ${COLUMNS} FROM packages WHERE name = ? FOR UPDATE`, [
    name,
  ]);
  return row && told(row);
}

/** The jobs with open tasks whose orders name an artifact: as the release, or as the runtime that it needs. */
export async function jobsNaming(db: Queryable, sha256: string): Promise<string[]> {
  const statement = sql`
    SELECT DISTINCT job_id AS job FROM tasks
    WHERE state IN (?) AND type = 'client_upgrade' AND JSON_SEARCH(args, 'one', ?) IS NOT NULL
    ORDER BY job_id`;
  return (await db.query<{ job: string }>(statement, [[...OPEN_STATES], sha256])).map((row) => row.job);
}

const told = (row: PackageRow) =>
  ({
    ...row,
    size: Number(row.size),
    sealed: Boolean(row.sealed),
    manifest: parsed<PackageManifest>(row.manifest),
  }) as PackageRow;
