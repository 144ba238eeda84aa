import type { Queryable } from '../../lib/conn.ts';
import type { Role } from '../../lib/trust/metadata.ts';
import { sql } from './sql.ts';

/** One version of a role's metadata; `mark` differs when another text was stored under the same version. */
export type Listed = { role: Role; version: number; mark: string };
export type Stored = { version: number; body: string };

/** From here to the end of the caller's transaction nobody else changes the metadata. Answers the database's time. */
export async function lockMetadata(tx: Queryable): Promise<Date> {
  const row = await tx.one<{ now: Date }>(
    sql`SELECT UTC_TIMESTAMP(3) AS now FROM trust_lock WHERE id = 1 FOR UPDATE`,
  );
  return row!.now;
}

export async function listMetadata(db: Queryable): Promise<Listed[]> {
  const rows = await db.query<{ role: Role; version: number; storedAt: Date }>(
    sql`SELECT role, version, stored_at AS storedAt FROM trust_metadata ORDER BY role, version`,
  );
  return rows.map(({ role, version, storedAt }) => ({
    ...{ role, version: Number(version), mark: storedAt.toISOString() },
  }));
}

export async function getMetadata(db: Queryable, role: Role, version: number): Promise<string | undefined> {
  const statement = sql`SELECT body FROM trust_metadata WHERE role = ? AND version = ?`;
  return (await db.one<{ body: string }>(statement, [role, version]))?.body;
}

export async function newestMetadata(db: Queryable, role: Role): Promise<Stored | undefined> {
  const statement = sql`SELECT version, body FROM trust_metadata WHERE role = ? ORDER BY version DESC LIMIT 1`;
  const row = await db.one<Stored>(statement, [role]);
  return row && { version: Number(row.version), body: row.body };
}

/** Under {@link lockMetadata}. */
export async function addMetadata(tx: Queryable, role: Role, version: number, body: string): Promise<void> {
  const statement = sql`
    INSERT INTO trust_metadata (role, version, body, stored_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))`;
  await tx.run(statement, [role, version, body]);
}

/** Forgets all but the newest `keep` versions of a role. */
export async function forgetOldMetadata(tx: Queryable, role: Role, keep: number): Promise<void> {
  const oldest = await tx.one<{ version: number }>(
    sql`SELECT version FROM trust_metadata WHERE role = ? ORDER BY version DESC LIMIT 1 OFFSET ?`,
    [role, keep - 1],
  );
  if (oldest)
    await tx.run(sql`DELETE FROM trust_metadata WHERE role = ? AND version < ?`, [role, oldest.version]);
}
