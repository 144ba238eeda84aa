import type { Queryable } from '../../lib/conn.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

export type TokenRow = {
  id: string;
  sha256: string;
  passwordHash: string;
  labels: Record<string, string>;
  rootVersion: number;
  uses: number;
  used: number;
  createdAt: Date;
  createdBy: string;
  expiresAt: Date;
  expired: boolean;
  revoked: boolean;
};

const COLUMNS = sql`
  id, sha256, password_hash AS passwordHash, labels, root_version AS rootVersion, uses, used, created_at AS createdAt, created_by AS createdBy,
  expires_at AS expiresAt, expires_at <= UTC_TIMESTAMP(3) AS expired, revoked_at IS NOT NULL AS revoked`;

export type NewToken = Pick<
  TokenRow,
  'id' | 'sha256' | 'passwordHash' | 'labels' | 'rootVersion' | 'uses'
> & {
  ttlMs: number;
  by: string;
};

/** The same token given again stays as it was. */
export async function addToken(db: Queryable, token: NewToken): Promise<void> {
  const { id, sha256, passwordHash, labels, rootVersion, uses, by, ttlMs } = token;
  const statement = sql`
    INSERT IGNORE INTO tokens (id, sha256, password_hash, labels, root_version, uses, created_by, created_at, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)`;
  await db.run(statement, [
    id,
    sha256,
    passwordHash,
    JSON.stringify(labels),
    rootVersion,
    uses,
    by,
    ttlMs * 1000,
  ]);
}

export async function getToken(db: Queryable, id: string): Promise<TokenRow | undefined> {
  const row = await db.one<TokenRow>(sql`SELECT ${COLUMNS} FROM tokens WHERE id = ?`, [id]);
  return row && told(row);
}

/** Locks the row until the transaction ends: each use is counted. */
export async function lockToken(db: Queryable, id: string): Promise<TokenRow | undefined> {
  const row = await db.one<TokenRow>(sql`SELECT ${COLUMNS} FROM tokens WHERE id = ? FOR UPDATE`, [id]);
  return row && told(row);
}

/** Newest first. */
export async function listTokens(db: Queryable, limit: number): Promise<TokenRow[]> {
  const statement = sql`SELECT ${COLUMNS} FROM tokens ORDER BY created_at DESC, id LIMIT ?`;
  return (await db.query<TokenRow>(statement, [limit])).map(told);
}

export async function revokeToken(db: Queryable, id: string): Promise<void> {
  await db.run(sql`UPDATE tokens SET revoked_at = COALESCE(revoked_at, UTC_TIMESTAMP(3)) WHERE id = ?`, [id]);
}

/** As which host this machine has joined with this token. */
export async function enrolledAs(db: Queryable, token: string, machine: string): Promise<string | undefined> {
  const statement = sql`SELECT host_id AS host FROM enrolments WHERE token_id = ? AND machine_hash = ?`;
  return (await db.one<{ host: string }>(statement, [token, machine]))?.host;
}

/** Counts a use; the caller holds the token locked. */
export async function takeUse(db: Queryable, token: string, machine: string, host: string): Promise<void> {
  const count = sql`
    UPDATE tokens SET used_up_at = CASE WHEN used + 1 >= uses THEN UTC_TIMESTAMP(3) ELSE used_up_at END,
      used = used + 1
    WHERE id = ?`;
  await db.run(count, [token]);
  const note = sql`
    INSERT INTO enrolments (token_id, machine_hash, host_id, enrolled_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))
    ON DUPLICATE KEY UPDATE host_id = VALUES(host_id), enrolled_at = VALUES(enrolled_at)`;
  await db.run(note, [token, machine, host]);
}

/** Tokens whose user in the broker may be there, and whether it still has to. */
export type TokenUser = { id: string; passwordHash: string };

export async function tokensWithUser(db: Queryable): Promise<TokenUser[]> {
  const statement = sql`
    SELECT id, password_hash AS passwordHash FROM tokens WHERE has_user = 1 AND revoked_at IS NULL ORDER BY id`;
  return db.query<TokenUser>(statement);
}

/** Tokens that are over, for `keepMs` unless they were revoked, and have a user yet. */
export async function tokensOver(db: Queryable, keepMs: number, limit: number): Promise<string[]> {
  const statement = sql`
    SELECT id FROM tokens
    WHERE has_user = 1 AND (revoked_at IS NOT NULL
      OR LEAST(expires_at, COALESCE(used_up_at, expires_at)) < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND)
    ORDER BY id LIMIT ?`;
  const rows = await db.query<{ id: string }>(statement, [keepMs * 1000, limit]);
  return rows.map((row) => row.id);
}

export async function markUserGone(db: Queryable, id: string): Promise<void> {
  await db.run(sql`UPDATE tokens SET has_user = 0 WHERE id = ?`, [id]);
}

/** Tokens that have been over for `keepMs` are forgotten, with who joined by them. */
export async function forgetTokens(db: Queryable, keepMs: number, limit: number): Promise<void> {
  const old = sql`
    SELECT id FROM tokens WHERE has_user = 0 AND expires_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND LIMIT ?`;
  const ids = (await db.query<{ id: string }>(old, [keepMs * 1000, limit])).map((row) => row.id);
  if (ids.length === 0) return;
  await db.run(sql`DELETE FROM enrolments WHERE token_id IN (?)`, [ids]);
  await db.run(sql`DELETE FROM tokens WHERE id IN (?)`, [ids]);
}

const told = (row: TokenRow): TokenRow => ({
  ...row,
  labels: parsed(row.labels),
  expired: Boolean(row.expired),
  revoked: Boolean(row.revoked),
});
