import type { Conn, Queryable } from '../../lib/conn.ts';
import type { PersonRole } from '../../lib/people.ts';
import { sql } from './sql.ts';

export type UserRow = { name: string; role: PersonRole; createdAt: Date; createdBy: string };

const COLUMNS = sql`name, role, created_at AS createdAt, created_by AS createdBy`;

/** In a fleet without users these are the first admins; several dispatchers may say so at once. */
export async function makeFirstAdmins(db: Conn, names: readonly string[]): Promise<boolean> {
  const there = await db.one(sql`SELECT name FROM users LIMIT 1`);
  if (there || names.length === 0) return there !== undefined;
  const insert = sql`
    INSERT IGNORE INTO users (name, role, created_at, created_by, call_key)
    VALUES (?, 'admin', UTC_TIMESTAMP(3), 'mega setup', 'mega setup')`;
  await db.transaction(async (tx) => {
    for (const name of names) await tx.run(insert, [name]);
  });
  return true;
}

export async function getUser(db: Queryable, name: string): Promise<UserRow | undefined> {
  return db.one<UserRow>(sql`SELECT ${COLUMNS} FROM users WHERE name = ?`, [name]);
}

export async function listUsers(db: Queryable): Promise<UserRow[]> {
  return db.query<UserRow>(sql`SELECT ${COLUMNS} FROM users ORDER BY name`);
}

export type NewUser = { name: string; role: PersonRole; by: string; callKey: string };

/** False when another call has made a user of that name. */
export async function addUser(db: Queryable, { name, role, by, callKey }: NewUser): Promise<boolean> {
  const insert = sql`
    INSERT IGNORE INTO users (name, role, created_at, created_by, call_key)
    VALUES (?, ?, UTC_TIMESTAMP(3), ?, ?)`;
  await db.run(insert, [name, role, by, callKey]);
  const mine = sql`SELECT name FROM users WHERE name = ? AND call_key = ?`;
  return (await db.one(mine, [name, callKey])) !== undefined;
}

/** Whether somebody else is an admin, too. The admins stay locked, so that no two of them can remove each other. */
export async function hasOtherAdmin(tx: Queryable, name: string): Promise<boolean> {
  const statement = sql`SELECT name FROM users WHERE role = 'admin' ORDER BY name FOR UPDATE`;
  return (await tx.query<{ name: string }>(statement)).some((row) => row.name !== name);
}

export async function setRole(tx: Queryable, name: string, role: PersonRole): Promise<void> {
  await tx.run(sql`UPDATE users SET role = ? WHERE name = ?`, [role, name]);
}

/** With the API tokens, whose logins the broker knows no more by now. */
export async function removeUser(tx: Queryable, name: string): Promise<void> {
  await tx.run(sql`DELETE FROM api_tokens WHERE owner = ?`, [name]);
  await tx.run(sql`DELETE FROM users WHERE name = ?`, [name]);
}
