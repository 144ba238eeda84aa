import type { Queryable } from '../../lib/conn.ts';
import type { PersonRole } from '../../lib/people.ts';
import { sql } from './sql.ts';

export type ApiTokenRow = {
  owner: string;
  name: string;
  role: PersonRole;
  createdAt: Date;
  createdBy: string;
  expiresAt: Date;
};

const COLUMNS = sql`t.owner, t.name, t.role, t.created_at AS createdAt, t.created_by AS createdBy, t.expires_at AS expiresAt`;

export type NewApiToken = {
  owner: string;
  name: string;
  role: PersonRole;
  secretSha256: string;
  ttlMs: number;
  by: string;
  callKey: string;
};

/** Undefined when another call has made a token of that name, or one with that secret. */
export async function addApiToken(db: Queryable, token: NewApiToken): Promise<ApiTokenRow | undefined> {
  const { owner, name, role, secretSha256, ttlMs, by, callKey } = token;
  const insert = sql`
    INSERT IGNORE INTO api_tokens (owner, name, role, secret_sha256, created_at, created_by, expires_at, call_key)
    VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3), ?, UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, ?)`;
  await db.run(insert, [owner, name, role, secretSha256, by, ttlMs * 1000, callKey]);
  const mine = sql`SELECT ${COLUMNS} FROM api_tokens t WHERE t.owner = ? AND t.name = ? AND t.call_key = ?`;
  return db.one<ApiTokenRow>(mine, [owner, name, callKey]);
}

/** What a token's login may do now. */
export type ApiTokenNow = { role: PersonRole; ownersRole: PersonRole; expired: boolean; expiresAt: Date };

export async function getApiToken(
  db: Queryable,
  owner: string,
  name: string,
): Promise<ApiTokenNow | undefined> {
  const statement = sql`
    SELECT t.role, u.role AS ownersRole, t.expires_at <= UTC_TIMESTAMP(3) AS expired, t.expires_at AS expiresAt
    FROM api_tokens t JOIN users u ON u.name = t.owner WHERE t.owner = ? AND t.name = ?`;
  const row = await db.one<ApiTokenNow>(statement, [owner, name]);
  return row && { ...row, expired: Boolean(row.expired) };
}

export async function listApiTokens(db: Queryable, owner?: string): Promise<ApiTokenRow[]> {
  if (owner === undefined) {
    return db.query<ApiTokenRow>(sql`SELECT ${COLUMNS} FROM api_tokens t ORDER BY t.owner, t.name`);
  }
  const statement = sql`SELECT ${COLUMNS} FROM api_tokens t WHERE t.owner = ? ORDER BY t.name`;
  return db.query<ApiTokenRow>(statement, [owner]);
}

/** Whose secret it is. */
export async function findApiToken(db: Queryable, secretSha256: string): Promise<ApiTokenRow[]> {
  const statement = sql`SELECT ${COLUMNS} FROM api_tokens t WHERE t.secret_sha256 = ?`;
  return db.query<ApiTokenRow>(statement, [secretSha256]);
}

export async function expiredApiTokens(db: Queryable, limit: number): Promise<ApiTokenRow[]> {
  const statement = sql`
    SELECT ${COLUMNS} FROM api_tokens t WHERE t.expires_at <= UTC_TIMESTAMP(3) ORDER BY t.expires_at LIMIT ?`;
  return db.query<ApiTokenRow>(statement, [limit]);
}

export async function removeApiToken(db: Queryable, owner: string, name: string): Promise<boolean> {
  return (await db.run(sql`DELETE FROM api_tokens WHERE owner = ? AND name = ?`, [owner, name])) > 0;
}
