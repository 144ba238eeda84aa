import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

/** A task `t` is no upgrade to a version in quarantine. */
export const NOT_QUARANTINED = sql`
  NOT (t.type = 'client_upgrade' AND EXISTS (
    SELECT 1 FROM packages p
    WHERE p.quarantined_at IS NOT NULL AND p.name = JSON_UNQUOTE(JSON_EXTRACT(t.args, '$.to'))))`;

export type Rollback = { version: string; host: string; reason: string | null };

/** A host that is there already keeps its first time. */
export async function addRollbacks(db: Queryable, rollbacks: Rollback[], now: Date): Promise<void> {
  if (rollbacks.length === 0) return;
  const rows = rollbacks.map(({ version, host, reason }) => [version, host, reason, now]);
  await db.run(sql`INSERT IGNORE INTO rollbacks (version, host_id, reason, at) VALUES ?`, [rows]);
}

/** Releases that more hosts than so many went back from, and that are not in quarantine. */
export async function versionsPast(db: Queryable, hosts: number): Promise<string[]> {
  const statement = sql`
    SELECT p.name FROM rollbacks r JOIN packages p ON p.name = r.version
    WHERE p.quarantined_at IS NULL GROUP BY p.name HAVING COUNT(*) > ? ORDER BY p.name`;
  return (await db.query<{ name: string }>(statement, [hosts])).map((row) => row.name);
}

/** Who went back from it, in the order in which we heard it. */
export async function rollbacksOf(db: Queryable, version: string): Promise<Rollback[]> {
  const statement = sql`
    SELECT version, host_id AS host, reason FROM rollbacks WHERE version = ? ORDER BY at, host_id`;
  return db.query<Rollback>(statement, [version]);
}

export async function setQuarantine(db: Queryable, version: string, reason: string): Promise<void> {
  const statement = sql`
    UPDATE packages SET quarantined_at = UTC_TIMESTAMP(3), quarantine_reason = ? WHERE name = ?`;
  await db.run(statement, [reason, version]);
}

/** Also forgets who went back from it: the counting begins anew. */
export async function endQuarantine(db: Queryable, version: string): Promise<void> {
  const statement = sql`UPDATE packages SET quarantined_at = NULL, quarantine_reason = NULL, released_at = UTC_TIMESTAMP(3)
    WHERE name = ?`;
  await db.run(statement, [version]);
  await db.run(sql`DELETE FROM rollbacks WHERE version = ?`, [version]);
}

export type Quarantine = { since: Date; reason: string };

/** Its row stays as it is until the caller's transaction ends: no quarantine begins meanwhile. */
export async function quarantineOf(db: Queryable, version: string): Promise<Quarantine | undefined> {
  const statement = sql`
    SELECT quarantined_at AS since, quarantine_reason AS reason FROM packages WHERE name = ? LOCK IN SHARE MODE`;
  const row = await db.one<{ since: Date | null; reason: string }>(statement, [version]);
  return row?.since ? { since: row.since, reason: row.reason } : undefined;
}

/** Of the version that a job upgrades to; kept as it is likewise. */
export async function quarantineOfJob(
  db: Queryable,
  id: string,
): Promise<(Quarantine & { version: string }) | undefined> {
  const statement = sql`
    SELECT p.name AS version, p.quarantined_at AS since, p.quarantine_reason AS reason
    FROM jobs j JOIN packages p ON p.name = JSON_UNQUOTE(JSON_EXTRACT(j.args, '$.to'))
    WHERE j.id = ? AND j.type = 'client_upgrade' AND p.quarantined_at IS NOT NULL LOCK IN SHARE MODE`;
  return db.one(statement, [id]);
}

/** Jobs in these states that upgrade to this version. */
export async function upgradesTo(db: Queryable, version: string, states: string[]): Promise<string[]> {
  const statement = sql`
    SELECT id FROM jobs WHERE type = 'client_upgrade' AND state IN (?) AND JSON_UNQUOTE(JSON_EXTRACT(args, '$.to')) = ? ORDER BY created_at, id`;
  return (await db.query<{ id: string }>(statement, [states, version])).map((row) => row.id);
}
