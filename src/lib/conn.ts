import { connect, isIP } from 'node:net';
import {
  createPool,
  type Pool,
  type PoolConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';
import { codeOf, MegaError, UnavailableError } from './errors.ts';
import { retry } from './retry.ts';
import { bareHost, tlsOf } from './secure.ts';
import { tlsTrouble } from './tls-errors.ts';
import { withDeadline } from './utils.ts';

/**
 * MySQL and MariaDB in one call: `const db = conn('mysql://user:password@host:3306/name')`.
 *
 * To all but loopback it speaks TLS and verifies the server's name and chain, by the CAs that Node.js trusts or those
 * in `ca`. The URL may say otherwise: `?ca=/etc/mega/ca.crt`, `?tls=on`, or `?tls=off` for a plain connection.
 *
 * Sessions are UTC, READ COMMITTED (under the default, polling an empty state blocked another connection's
 * INSERT) and strict. Errors name host, database and statement, never the password.
 */
export type Value = string | number | bigint | boolean | Date | Buffer | null;
/** A value, or rows for a bulk `VALUES ?`, or a list for `IN (?)`. */
export type Param = Value | Value[] | Value[][];
export type Row = Record<string, unknown>;

export type Queryable = {
  /** Rows of a SELECT. */
  query<T extends object = Row>(sql: string, params?: Param[]): Promise<T[]>;
  /** The first row, or undefined. */
  one<T extends object = Row>(sql: string, params?: Param[]): Promise<T | undefined>;
  /** How many rows an INSERT, UPDATE or DELETE touched (changed rows count, and so do matched ones). */
  run(sql: string, params?: Param[]): Promise<number>;
};

export type ConnOptions = {
  connections?: number;
  /** One statement's limit, and that of getting a connection. */
  timeoutMs?: number;
  /** Only for migrations: several statements in one text. */
  multipleStatements?: boolean;
  /** Certificates (PEM) of the CAs that the server is verified by. */
  ca?: string | undefined;
  /** Default: on, except to loopback. */
  tls?: boolean | undefined;
};

export type Conn = Queryable &
  AsyncDisposable & {
    /**
     * Runs `work` in one transaction. Deadlocks and lock waits are tried again, as often as `retries` says, so
     * `work` must have no effect but on the database.
     */
    transaction<T>(work: (db: Queryable) => Promise<T>, options?: { retries?: number }): Promise<T>;
    close(): Promise<void>;
  };

/** Errors after which the whole transaction may simply be run again: the server has rolled it back. */
const RETRY = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD']);

/** Errors that say the server is away, as against a statement that is wrong. */
const AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'ER_SERVER_SHUTDOWN',
  'ER_CON_COUNT_ERROR',
  'ER_QUERY_INTERRUPTED',
  'ER_CLIENT_INTERACTION_TIMEOUT',
]);
/** MariaDB's "connection was killed", which a server that stops says; the driver has no name for it. */
const KILLED = 1927;

/** Errors of a server that is there and takes nothing for now: full, read-only (a standby), out of connections. */
const REFUSING = new Set([
  'ER_DISK_FULL',
  'ER_RECORD_FILE_FULL',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_READ_ONLY_MODE',
  'ER_CANT_UPDATE_WITH_READLOCK',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_USER_LIMIT_REACHED',
  'ER_OUT_OF_RESOURCES',
]);

export function conn(url: string, options: ConnOptions = {}): Conn {
  const { connections = 8, timeoutMs = 30_000 } = options;
  const target = new URL(url);
  const where = `${target.hostname}:${target.port || 3306}${target.pathname}`;
  const pool = createPool({
    ...reach(target, options),
    user: decodeURIComponent(target.username),
    password: decodeURIComponent(target.password),
    ...(target.pathname.length > 1 ? { database: decodeURIComponent(target.pathname.slice(1)) } : {}),
    connectionLimit: connections,
    connectTimeout: 10_000,
    enableKeepAlive: true,
    timezone: 'Z',
    supportBigNumbers: true,
    charset: 'utf8mb4',
    multipleStatements: options.multipleStatements ?? false,
  });
  pool.on('connection', (fresh) => {
    for (const one of SESSION) fresh.query(one); // they run before whatever is asked on the connection
  });
  const direct: <T>(work: (db: Queryable) => Promise<T>) => Promise<T> = (work) =>
    withConnection(pool, where, timeoutMs, (connection) => work(queryable(connection, where, timeoutMs)));
  return {
    query: (sql, params) => direct((db) => db.query(sql, params)),
    one: (sql, params) => direct((db) => db.one(sql, params)),
    run: (sql, params) => direct((db) => db.run(sql, params)),
    transaction: (work, { retries = 5 } = {}) =>
      retry(() => direct((db) => attempt(db, work)), {
        ...{ retries, minTimeoutMs: 10, maxTimeoutMs: 500 },
        when: (error) => RETRY.has(codeOf(error.cause)),
      }),
    close: () => pool.end(),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

/**
 * Where the server is, and whether TLS comes before the password. The driver names to Node.js what it connects to, so
 * that it is found in the certificate, but not an address, for which `localhost` would be looked up instead. So an
 * address is given with the dot that may end a name: then it is named, and Node.js still finds the address in it.
 */
function reach(target: URL, options: ConnOptions) {
  const host = bareHost(target.hostname);
  const port = Number(target.port || 3306);
  const { tls, ca } = tlsOf(target, options);
  if (!tls) return { host, port };
  const ssl = { ...(ca === undefined ? {} : { ca }), verifyIdentity: true };
  if (isIP(host) === 0) return { host, port, ssl };
  return { host: `${host}.`, port, ssl, stream: () => connect({ host, port, keepAlive: true }) };
}

const SESSION = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  "SET SESSION time_zone = '+00:00', SESSION sql_mode = 'STRICT_ALL_TABLES'",
];

/**
 * Lends a connection of the pool, and ends it when the server did not answer on it: the driver would otherwise wait
 * for that answer for ever and never give the connection back.
 */
async function withConnection<T>(
  pool: Pool,
  where: string,
  timeoutMs: number,
  work: (connection: PoolConnection) => Promise<T>,
): Promise<T> {
  const asked = pool.getConnection();
  let late = false;
  const tooLate = () => {
    late = true;
    return new UnavailableError('database_unavailable', `no connection to ${where} in ${timeoutMs} ms`);
  };
  asked.then((connection) => late && connection.release()).catch(() => undefined);
  const connection = await withDeadline(asked, timeoutMs, tooLate).catch((cause: unknown) => {
    throw cause instanceof MegaError ? cause : told(cause, where, 'connecting');
  });
  try {
    const value = await work(connection);
    connection.release();
    return value;
  } catch (error) {
    if (error instanceof UnavailableError) connection.destroy();
    else connection.release();
    throw error;
  }
}

async function attempt<T>(db: Queryable, work: (db: Queryable) => Promise<T>): Promise<T> {
  await db.run('START TRANSACTION');
  try {
    const value = await work(db);
    await db.run('COMMIT');
    return value;
  } catch (error) {
    if (!(error instanceof UnavailableError)) await db.run('ROLLBACK'); // a connection that is gone rolls back itself
    throw error;
  }
}

function queryable(on: PoolConnection, where: string, timeoutMs: number): Queryable {
  const send = async (sql: string, params: Param[]) => {
    const late = () =>
      new UnavailableError(
        'database_unavailable',
        `no answer from ${where} in ${timeoutMs} ms: ${brief(sql)}`,
      );
    try {
      const asked = on.query<RowDataPacket[] | ResultSetHeader>({ sql, timeout: timeoutMs, values: params });
      return (await withDeadline(asked, timeoutMs + 10_000, late))[0];
    } catch (cause) {
      throw cause instanceof MegaError ? cause : told(cause, where, brief(sql));
    }
  };
  return {
    query: async <T extends object>(sql: string, params: Param[] = []) =>
      (await send(sql, params)) as unknown as T[],
    one: async <T extends object>(sql: string, params: Param[] = []) =>
      ((await send(sql, params)) as unknown as T[])[0],
    run: async (sql, params = []) => ((await send(sql, params)) as ResultSetHeader).affectedRows,
  };
}

function told(cause: unknown, where: string, what: string): MegaError {
  const code = codeOf(cause);
  const text = (cause as Error).message || code;
  const { fatal, errno } = cause as { fatal?: boolean; errno?: number };
  if (code === 'ER_ACCESS_DENIED_ERROR')
    return new UnavailableError(
      'database_refused',
      `${where} refuses the user or password; it may let some in over TLS only (?tls=on)`,
      { cause },
    );
  const tls = tlsTrouble(cause, `the database ${where}`);
  if (tls) return new UnavailableError('database_unavailable', tls, { cause });
  const away = AWAY.has(code) || errno === KILLED || fatal;
  if (away || REFUSING.has(code)) {
    const how = away ? 'cannot be reached' : 'takes nothing for now';
    return new UnavailableError('database_unavailable', `the database ${where} ${how}: ${text}`, { cause });
  }
  const state = (cause as { sqlState?: string }).sqlState ?? '';
  return new MegaError(DATA.test(state) ? 'bad_data' : 'database_error', `${where}: ${text} [${what}]`, {
    cause,
  });
}

/** SQL's classes of errors that the values themselves have made: out of range, too long, a broken constraint. */
const DATA = /^2[23]/;

const brief = (sql: string) => sql.replace(/\s+/g, ' ').trim().slice(0, 120);
