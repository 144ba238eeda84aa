import type { Connection, ResultSetHeader } from './driver.ts';
import { insertRows } from './insert.ts';
import { placed } from './placeholders.ts';
import { type Place, send } from './send.ts';
import { type Loan, streamRows } from './stream.ts';
import type { Params, Queryable, Reader } from './types.ts';

/** Each statement on a connection of its own. */
export function direct(place: Place): Reader & Pick<Queryable, 'run'> {
  // The connection is lent for as long as a loop goes on; one that is left early has rows to come, and ends.
  const loan: Loan = {
    take: () => place.lender.take(),
    giveBack: (connection, whole) => place.lender.giveBack(connection, !whole),
  };
  const once = <T>(work: (db: Queryable) => Promise<T>) =>
    place.lender.lend((connection) => work(queryable(place, connection)));
  return {
    query: (sql, params) => once((db) => db.query(sql, params)),
    one: (sql, params) => once((db) => db.one(sql, params)),
    run: (sql, params) => once((db) => db.run(sql, params)),
    stream: <T extends object>(sql: string, params?: Params) =>
      streamRows<T>(place, loan, placed(sql, params)),
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
    stream: <T extends object>(sql: string, params?: Params) =>
      streamRows<T>(place, { take: async () => on, giveBack: () => undefined }, placed(sql, params)),
  };
}

const touched = (answer: unknown) => (answer as ResultSetHeader).affectedRows;
