/** MySQL and MariaDB, `mega-fleet/conn`. */
export type {
  Conn,
  ConnOptions,
  InsertOptions,
  InsertRow,
  Param,
  Params,
  Queryable,
  Reader,
  Row,
  Server,
  SlowOptions,
  SlowQuery,
  TransactionOptions,
  Value,
} from '../conn.ts';
export { conn } from '../conn.ts';
export { InputError, MegaError, UnavailableError } from '../errors.ts';
