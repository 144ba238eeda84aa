import type { Conn, Param, Queryable } from '../../lib/conn.ts';
import { LEVELS, type Level, type LogBatch } from '../../lib/log-lines.ts';
import { sql } from './sql.ts';

const numberOf = (level: Level) => 10 * (LEVELS.indexOf(level) + 1);
const levelOf = (number: number) => LEVELS[number / 10 - 1] ?? 'info';

/** Keeps batches; one that was kept before changes nothing. */
export async function addLogs(db: Queryable, batches: LogBatch[]): Promise<void> {
  const clock = await db.one<{ now: Date }>(sql`SELECT UTC_TIMESTAMP(3) AS now`);
  const rows = batches.flatMap(({ id, host, lines }) =>
    lines.map(({ at, level, task, script, text }, i) => {
      return [id, i, host, new Date(at), clock!.now, numberOf(level), task ?? null, script ?? null, text];
    }),
  );
  if (rows.length === 0) return;
  const statement = sql`
    INSERT IGNORE INTO logs (batch, line, host_id, at, kept_at, level, task_id, script, text) VALUES ?`;
  await db.run(statement, [rows]);
}

export type LogRow = {
  id: number;
  host: string;
  at: Date;
  keptAt: Date;
  level: Level;
  task: string | null;
  script: string | null;
  text: string;
};

export type LogFilter = {
  /** Without: all hosts. */
  hosts?: string[] | undefined;
  task?: string | undefined;
  /** This level and graver ones. */
  level: Level;
  since?: Date | undefined;
  until?: Date | undefined;
  /** In the text, upper and lower case alike. */
  grep?: string | undefined;
  limit: number;
};

/** Lines in order of the hosts' time, then of keeping. */
export type LogPlace = { at: Date; id: number };

const COLUMNS = sql`id, host_id AS host, at, kept_at AS keptAt, level, task_id AS task, script, text`;
/** What the filter does not say is null, and the server drops it. */
const WANTED = sql`level >= ? AND (? = 0 OR host_id IN (?)) AND (? IS NULL OR task_id = ?)
  AND (? IS NULL OR at >= ?) AND (? IS NULL OR at < ?) AND (? IS NULL OR text LIKE ?)`;

function valuesOf({ hosts, level, grep, ...rest }: LogFilter): Param[] {
  const [task, since, until] = [rest.task ?? null, rest.since ?? null, rest.until ?? null];
  const like = grep === undefined ? null : `%${grep.replace(/[\\%_]/g, '\\$&')}%`;
  const which = [numberOf(level), hosts === undefined ? 0 : 1, hosts ?? [''], task, task];
  return [...which, since, since, until, until, like, like];
}

/** The last lines before a place, or the last of all; in order. */
export async function listLogs(db: Queryable, filter: LogFilter, before?: LogPlace): Promise<LogRow[]> {
  const statement = sql`
    SELECT ${COLUMNS} FROM logs
    WHERE ${WANTED} AND (? IS NULL OR at < ? OR (at = ? AND id < ?))
    ORDER BY at DESC, id DESC LIMIT ?`;
  const end = before?.at ?? null;
  const values = [...valuesOf(filter), end, end, end, before?.id ?? null, filter.limit];
  return (await db.query<StoredRow>(statement, values)).map(told).reverse();
}

/** The first lines that were kept from a time of the database on, in order of keeping. */
export async function newLogs(db: Queryable, filter: LogFilter, keptFrom: Date): Promise<LogRow[]> {
  const statement = sql`
    SELECT ${COLUMNS} FROM logs WHERE ${WANTED} AND kept_at >= ? ORDER BY kept_at, id LIMIT ?`;
  const values = [...valuesOf(filter), keptFrom, filter.limit];
  return (await db.query<StoredRow>(statement, values)).map(told);
}

/** Removes some of what is older; false when nothing was left to remove. */
export async function removeLogs(db: Conn, keepMs: number, limit: number): Promise<boolean> {
  const statement = sql`DELETE FROM logs WHERE kept_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND LIMIT ?`;
  return (await db.run(statement, [keepMs * 1000, limit])) === limit;
}

type StoredRow = Omit<LogRow, 'level'> & { level: number };

const told = (row: StoredRow): LogRow => ({ ...row, id: Number(row.id), level: levelOf(row.level) });
