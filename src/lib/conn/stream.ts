import { UnavailableError } from '../errors.ts';
import { type Connection, rowsOf } from './driver.ts';
import { type Place, type Statement, send, tellIfSlow } from './send.ts';
import { brief, told } from './told.ts';

/** Rows that wait in our memory while somebody reads slowly; then the server waits. */
const AHEAD = 64;
/** For so long the server holds a result for who does not read on; by default it gives up after a minute. */
const PATIENT = 'SET SESSION net_write_timeout = 600';
const LOOKS = 4;

/**
 * The rows of a statement as they come. Left early, what is still to come is read and dropped before the connection
 * does anything else; who has no use for that ends it.
 */
export async function* streamRows<T>(place: Place, on: Connection, statement: Statement): AsyncGenerator<T> {
  const { where, timeoutMs } = place;
  const { sql, values } = statement;
  const shown = brief(sql);
  const began = performance.now();
  let since = began;
  let first = true;
  try {
    await send(place, on, { sql: PATIENT, values: [] });
    const rows = rowsOf(on, sql, values, AHEAD);
    const late = `no row from ${where} in ${timeoutMs} ms: ${shown}`;
    const watch = setInterval(() => {
      if (performance.now() - since > timeoutMs)
        rows.destroy(new UnavailableError('database_unavailable', late));
    }, timeoutMs / LOOKS);
    try {
      for await (const row of rows) {
        if (first) tellIfSlow(place, statement, performance.now() - began);
        first = false;
        since = Number.POSITIVE_INFINITY; // from here on it is the reader who takes his time
        yield row as T;
        since = performance.now();
      }
    } finally {
      clearInterval(watch);
    }
  } catch (cause) {
    throw told(cause, where, shown, values.length > 0);
  }
}
