import type { Connection as CoreConnection } from 'mysql2';
import {
  createPool,
  escapeId,
  type Pool,
  type PoolConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';
import type { Target } from './target.ts';
import type { Param } from './types.ts';

/**
 * The one owner of mysql2.
 *
 * Sessions are UTC, READ COMMITTED (under the default, polling an empty state blocked another connection's INSERT) and
 * strict; in this mode a backslash escapes, on which the driver's escaping of values relies.
 */
export type Driver = { pool: Pool; destroyAll(): void };
export type Connection = PoolConnection;
export type Answer = RowDataPacket[] | ResultSetHeader;
export type { ResultSetHeader };

const CONNECT_MS = 10_000;
const SESSION = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  "SET SESSION time_zone = '+00:00', SESSION sql_mode = 'STRICT_ALL_TABLES'",
];
const READ_ONLY = 'SET SESSION TRANSACTION READ ONLY';

export type DriverOptions = { connections: number; multipleStatements: boolean; readOnly: boolean };

export function openDriver(target: Target, options: DriverOptions): Driver {
  const { user, password, database, reach } = target;
  const pool = createPool({
    ...reach,
    user,
    password,
    ...(database === '' ? {} : { database }),
    connectionLimit: options.connections,
    connectTimeout: CONNECT_MS,
    enableKeepAlive: true,
    timezone: 'Z',
    supportBigNumbers: true,
    charset: 'utf8mb4',
    multipleStatements: options.multipleStatements,
    trace: false, // else it takes a picture of the stack for each statement, a tenth of its time
  });
  const all = new Set<{ destroy(): void }>();
  pool.on('connection', (fresh) => {
    all.add(fresh);
    fresh.once('end', () => all.delete(fresh));
    fresh.on('error', () => all.delete(fresh)); // whoever waits for an answer is told by that
    // They run before whatever is asked on the connection.
    for (const one of options.readOnly ? [...SESSION, READ_ONLY] : SESSION) fresh.query(one);
  });
  const destroyAll = () => {
    for (const one of all) one.destroy();
  };
  return { pool, destroyAll };
}

/** Without the driver's own limit, whose timer outlives a lost connection and so would keep a script from ending. */
export function ask(on: Connection, sql: string, values: Param[]): Promise<Answer> {
  return on.query<RowDataPacket[] | ResultSetHeader>(sql, values).then(([rows]) => rows);
}

/** Rows as they come; at most about `ahead` wait in our memory. */
export function rowsOf(on: Connection, sql: string, values: Param[], ahead: number) {
  const core = on.connection as unknown as CoreConnection; // its type says that it is the one with promises
  const rows = core.query({ sql, values }).stream({ highWaterMark: ahead });
  const lost = (error: Error) => rows.destroy(error); // the driver tells the connection alone that it is gone
  core.on('error', lost);
  rows.once('close', () => core.off('error', lost));
  return rows;
}

/** `(1, 'a', NULL)`, each value escaped. */
export const rowText = ({ pool }: Driver, values: unknown[]) => `(${pool.escape(values)})`;

/** A table's name may have its database before a dot, a column's has no dot that means something. */
export const tableName = (name: string) => escapeId(name);
export const columnName = (name: string) => escapeId(name, true);
