import { type DriverOptions, openDriver } from './conn/driver.ts';
import { Lender } from './conn/lend.ts';
import { readingFrom } from './conn/replica.ts';
import type { Place } from './conn/send.ts';
import { direct } from './conn/statements.ts';
import { type Target, targetOf } from './conn/target.ts';
import { transact } from './conn/transaction.ts';
import type { Conn, ConnOptions, Reader, Server } from './conn/types.ts';

export type * from './conn/types.ts';

/**
 * MySQL and MariaDB in one call: `const db = conn('mysql://user:password@host:3306/name')`. Where the database is may
 * also be said by an object, by an option file (`conn({ optionFile: '~/.my.cnf' })`), or, without any, by the
 * environment: `$MEGA_MYSQL`, a URL, or `$MEGA_MYSQL_FILE`, an option file.
 *
 * To all but loopback it speaks TLS and verifies the server's name and chain, by the CAs that Node.js trusts or those
 * in `ca`. The URL may say otherwise: `?ca=/etc/mega/ca.crt`, `?tls=on`, or `?tls=off` for a plain connection.
 *
 * It connects when it is first asked. Sessions are UTC, READ COMMITTED and strict. Errors name host, database and
 * statement, never the password or what the parameters were: `database_unavailable`, `database_refused` (the login),
 * `database_commit_unknown`, `bad_data` (a value does not fit), `database_error` (the statement is wrong),
 * `bad_argument`, `closed`.
 */
export function conn(where?: string | Server, options: ConnOptions = {}): Conn {
  const { ca, tls } = options;
  const target = targetOf(where, { ca, tls });
  const { place, close } = open(target, options, false);
  const reading = openReading(target, options);
  const db = direct(place);
  const closeAll = async () => {
    await Promise.all([close(), reading.close()]);
  };
  return {
    ...db,
    transaction: (work, how) => transact(place, work, how),
    insert: (table, rows, how) => {
      // What a generator has given it does not give again.
      const once = Array.isArray(rows) ? {} : { retries: 0 };
      return transact(place, (tx) => tx.insert(table, rows, how), once);
    },
    replica: reading.reader,
    close: closeAll,
    [Symbol.asyncDispose]: closeAll,
  };
}

const CONNECTIONS = 8;
const TIMEOUT_MS = 30_000;
const PATIENCE_MS = 10_000;

function open(target: Target, options: ConnOptions, readOnly: boolean) {
  const { timeoutMs = TIMEOUT_MS, patienceMs = PATIENCE_MS, slow } = options;
  const { connections = CONNECTIONS, multipleStatements = false } = options;
  const settings: DriverOptions = { connections, multipleStatements, readOnly };
  const driver = openDriver(target, settings);
  const { where } = target;
  const lender = new Lender(driver, { where, timeoutMs, patienceMs });
  const place: Place = { driver, lender, where, timeoutMs, slow };
  return { place, close: () => lender.close() };
}

/**
 * Sessions that refuse to write, in pools of their own, which connect only when they are asked: of the replica, and of
 * the server, for where there is none or it is away.
 */
function openReading(primary: Target, options: ConnOptions): { reader: Reader; close(): Promise<void> } {
  const { replica, ca, tls } = options;
  const own = open(primary, options, true);
  if (replica === undefined) return { reader: direct(own.place), close: own.close };
  const other = open(targetOf(replica, { ca, tls }), { ...options, patienceMs: 0 }, true);
  const close = async () => {
    await Promise.all([own.close(), other.close()]);
  };
  return { reader: readingFrom(direct(other.place), direct(own.place)), close };
}
