import type { Queryable } from '../../lib/conn.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

export type WindowRow = {
  name: string;
  /** The hosts that keep it; see targets. */
  on: string[];
  /** Read by lib/when/window. */
  open: string;
  zone: string;
  createdAt: Date;
  createdBy: string;
};

const COLUMNS = sql`name, target AS \`on\`, open_at AS open, zone, created_at AS createdAt, created_by AS createdBy`;

export type NewWindow = Pick<WindowRow, 'name' | 'on' | 'open' | 'zone'> & { by: string; callKey: string };

/** False when another call has made a window of that name. */
export async function addWindow(db: Queryable, window: NewWindow): Promise<boolean> {
  const { name, on, open, zone, by, callKey } = window;
  const insert = sql`
    INSERT IGNORE INTO windows (name, target, open_at, zone, created_at, created_by, call_key)
    VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3), ?, ?)`;
  await db.run(insert, [name, JSON.stringify(on), open, zone, by, callKey]);
  const mine = sql`SELECT name FROM windows WHERE name = ? AND call_key = ?`;
  return (await db.one(mine, [name, callKey])) !== undefined;
}

export async function listWindows(db: Queryable): Promise<WindowRow[]> {
  const rows = await db.query<WindowRow>(sql`SELECT ${COLUMNS} FROM windows ORDER BY name`);
  return rows.map((row) => ({ ...row, on: parsed(row.on) }));
}

/** False when there is none of that name. */
export async function removeWindow(db: Queryable, name: string): Promise<boolean> {
  return (await db.run(sql`DELETE FROM windows WHERE name = ?`, [name])) > 0;
}
