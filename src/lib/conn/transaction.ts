import { codeOf, MegaError, UnavailableError } from '../errors.ts';
import { retry } from '../retry.ts';
import type { Connection } from './driver.ts';
import { kindOf } from './kinds.ts';
import type { Place } from './send.ts';
import { queryable } from './statements.ts';
import type { Queryable, TransactionOptions } from './types.ts';

const RETRIES = 5;
const PAUSE = { minTimeoutMs: 10, maxTimeoutMs: 500 };

/**
 * Runs work in one transaction, on a connection of its own.
 *
 * INVARIANTS
 * - It is run again only where nothing of it was kept: after a conflict, and after a connection that was lost before
 *   COMMIT was sent.
 * - A statement after one that ended the transaction is refused: it would be carried out alone.
 */
export function transact<T>(
  place: Place,
  work: (db: Queryable) => Promise<T>,
  { retries = RETRIES, idempotent = false }: TransactionOptions = {},
): Promise<T> {
  const again = (error: Error) => {
    const kind = kindOf(error.cause);
    return kind === 'conflict' || (kind === 'lost' && codeOf(error) === 'database_unavailable');
  };
  const once = () => place.lender.lend((connection) => attempt(place, connection, work, idempotent));
  return retry(once, { retries, ...PAUSE, when: again });
}

async function attempt<T>(
  place: Place,
  connection: Connection,
  work: (db: Queryable) => Promise<T>,
  idempotent: boolean,
): Promise<T> {
  const db = queryable(place, connection);
  const guard = guarded(db);
  await db.run('START TRANSACTION');
  let committing = false;
  try {
    const value = await work(guard.db);
    guard.end();
    committing = true;
    await db.run('COMMIT');
    return value;
  } catch (error) {
    guard.end();
    if (committing && error instanceof UnavailableError) throw idempotent ? error : unknown(place, error);
    // A connection that is gone rolls back itself.
    if (!(error instanceof UnavailableError)) await db.run('ROLLBACK');
    throw error;
  }
}

function unknown({ where }: Place, cause: Error): UnavailableError {
  const what = `the answer to COMMIT was lost: whether ${where} has the transaction is not known`;
  const remedy = 'look before it is done again; where doing it twice does no harm, say idempotent: true';
  return new UnavailableError('database_commit_unknown', `${what}; ${remedy}`, { cause });
}

type Guard = { db: Queryable; end(): void };

/** Refuses what is asked once the transaction is over, be it by a deadlock that the work has caught and passed over. */
function guarded(db: Queryable): Guard {
  let over: Error | undefined;
  const ending = (error: unknown) => {
    if (error instanceof UnavailableError || kindOf((error as Error).cause) === 'conflict')
      over = error as Error;
  };
  const kept = <T>(ask: () => Promise<T>): Promise<T> => {
    if (over) return Promise.reject(over);
    return ask().catch((error: unknown) => {
      ending(error);
      throw error;
    });
  };
  return {
    db: {
      query: (sql, params) => kept(() => db.query(sql, params)),
      one: (sql, params) => kept(() => db.one(sql, params)),
      run: (sql, params) => kept(() => db.run(sql, params)),
      insert: (table, rows, options) => kept(() => db.insert(table, rows, options)),
      stream: (sql, params) => {
        if (over) throw over;
        return db.stream(sql, params);
      },
    },
    end: () => {
      over ??= new MegaError('transaction_over', 'the transaction is over: await all that is asked in it');
    },
  };
}
