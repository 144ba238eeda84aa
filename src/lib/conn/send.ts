import { UnavailableError } from '../errors.ts';
import { withDeadline } from '../utils.ts';
import { ask, type Connection, type Driver } from './driver.ts';
import type { Lender } from './lend.ts';
import { brief, told } from './told.ts';
import type { Param, SlowOptions } from './types.ts';

/** What statements stand on: one server, and how it is asked. */
export type Place = {
  driver: Driver;
  lender: Lender;
  where: string;
  timeoutMs: number;
  slow: SlowOptions | undefined;
};

/** What goes to the server, and what is shown of it: `sql` is nowhere told where `shown` is another. */
export type Statement = { sql: string; values: Param[]; shown?: string };

/** Sends one statement on a connection and waits for its end. */
export async function send(place: Place, on: Connection, statement: Statement) {
  const { where, timeoutMs } = place;
  const { sql, values } = statement;
  const late = () => {
    const what = `no answer from ${where} in ${timeoutMs} ms: ${shownOf(statement)}`;
    return new UnavailableError('database_unavailable', what);
  };
  const began = performance.now();
  try {
    return await withDeadline(ask(on, sql, values), timeoutMs, late);
  } catch (cause) {
    const hasValues = values.length > 0 || statement.shown !== undefined;
    throw told(cause, where, shownOf(statement), hasValues);
  } finally {
    tellIfSlow(place, statement, performance.now() - began);
  }
}

const shownOf = ({ sql, shown }: Statement) => shown ?? brief(sql);

export function tellIfSlow({ slow, where }: Place, statement: Statement, took: number): void {
  if (!slow || took < slow.overMs) return;
  const sql = shownOf(statement);
  const ms = Math.round(took);
  if (typeof slow.tell === 'function') slow.tell({ sql, ms, database: where });
  else slow.tell.warn({ sql, ms, database: where }, 'a slow statement');
}
