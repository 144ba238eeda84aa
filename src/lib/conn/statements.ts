import { MegaError, UnavailableError } from '../errors.ts';
import type { Connection, ResultSetHeader } from './driver.ts';
import { insertRows } from './insert.ts';
import { placed } from './placeholders.ts';
import { type Place, send } from './send.ts';
import { streamRows } from './stream.ts';
import type { Params, Queryable, Reader } from './types.ts';

/** Each statement on a connection of its own. */
export function direct(place: Place): Reader & Pick<Queryable, 'run'> {
  const once = <T>(work: (db: Queryable) => Promise<T>) =>
    place.lender.lend((connection) => work(queryable(place, connection)));
  return {
    query: (sql, params) => once((db) => db.query(sql, params)),
    one: (sql, params) => once((db) => db.one(sql, params)),
    run: (sql, params) => once((db) => db.run(sql, params)),
    stream: <T extends object>(sql: string, params?: Params) => streamAlone<T>(place, sql, params),
  };
}

/** All on this connection. */
export function queryable(place: Place, on: Connection): Queryable {
  const asked = (sql: string, params?: Params) => send(place, on, placed(sql, params));
  const rows = async <T extends object>(sql: string, params?: Params) =>
    (await asked(sql, params)) as unknown as T[];
  return {
    query: rows,
    one: async <T extends object>(sql: string, params?: Params) => (await rows<T>(sql, params))[0],
    run: async (sql, params) => touched(await asked(sql, params)),
    insert: (table, more, options) => {
      const write = async (sql: string, shown: string) =>
        touched(await send(place, on, { sql, values: [], shown }));
      const limit = () => rows<{ bytes: number }>('SELECT @@max_allowed_packet AS bytes');
      return insertRows(place.driver, { table, rows: more, options }, write, async () =>
        Number((await limit())[0]?.bytes),
      );
    },
    stream: <T extends object>(sql: string, params?: Params) => streamRows<T>(place, on, placed(sql, params)),
  };
}

const touched = (answer: unknown) => (answer as ResultSetHeader).affectedRows;

/** The connection is lent for as long as the loop goes on; one that is left early has rows to come, and ends. */
async function* streamAlone<T extends object>(place: Place, sql: string, params?: Params): AsyncGenerator<T> {
  const statement = placed(sql, params);
  const connection = await place.lender.take();
  let whole = false;
  try {
    yield* streamRows<T>(place, connection, statement);
    whole = true;
  } catch (error) {
    whole = error instanceof MegaError && !(error instanceof UnavailableError);
    throw error;
  } finally {
    place.lender.giveBack(connection, !whole);
  }
}
