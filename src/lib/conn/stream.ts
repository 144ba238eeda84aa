import type { Readable } from 'node:stream';
import { UnavailableError } from '../errors.ts';
import { type Connection, rowsOf } from './driver.ts';
import { type Place, type Statement, send, tellIfSlow } from './send.ts';
import { brief, told } from './told.ts';

/** Rows that wait in our memory while somebody reads slowly; then the server waits. */
const AHEAD = 64;
/** For so long the server holds a result for who does not read on; by default it gives up after a minute. */
const PATIENT = 'SET SESSION net_write_timeout = 600';
const LOOKS = 4;

/** From where the connection is, and what becomes of it at the end; `whole`: no row is still to come. */
export type Loan = { take(): Promise<Connection>; giveBack(connection: Connection, whole: boolean): void };

/**
 * The rows of a statement as they come. Left early, what is still to come is read and dropped before the connection
 * does anything else; who has no use for that ends it. One generator does all of it: each more costs a row half as much
 * again.
 */
export async function* streamRows<T>(place: Place, loan: Loan, statement: Statement): AsyncGenerator<T> {
  const on = await loan.take();
  const began = performance.now();
  let since = began;
  let [first, whole] = [true, false];
  let watch: NodeJS.Timeout | undefined;
  try {
    await send(place, on, { sql: PATIENT, values: [] });
    since = performance.now();
    const rows = rowsOf(on, statement.sql, statement.values, AHEAD);
    watch = watching(place, statement, () => since, rows);
    for await (const row of rows) {
      if (first) tellIfSlow(place, statement, performance.now() - began);
      first = false;
      since = Number.POSITIVE_INFINITY; // from here on it is the reader who takes his time
      yield row as T;
      since = performance.now();
    }
    whole = true;
  } catch (cause) {
    const error = told(cause, place.where, brief(statement.sql), statement.values.length > 0);
    whole = !(error instanceof UnavailableError);
    throw error;
  } finally {
    clearInterval(watch);
    loan.giveBack(on, whole);
  }
}

/** Ends the rows when none has come for too long. */
function watching({ where, timeoutMs }: Place, { sql }: Statement, since: () => number, rows: Readable) {
  const look = () => {
    if (performance.now() - since() <= timeoutMs) return;
    const late = `no row from ${where} in ${timeoutMs} ms: ${brief(sql)}`;
    rows.destroy(new UnavailableError('database_unavailable', late));
  };
  return setInterval(look, timeoutMs / LOOKS);
}
