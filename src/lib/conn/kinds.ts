import { codeOf } from '../errors.ts';

/**
 * What an error of the driver or server means for whoever asked.
 *
 * - `conflict`: the server has rolled back, or will at our ROLLBACK: the whole transaction may be run again.
 * - `lost`: the connection is gone; what was not committed is undone. Whether a COMMIT under way was carried out is not
 *   known.
 * - `away`: no connection came about, so nothing was done.
 * - `late`: no answer in time; what was asked may still be carried out.
 * - `refusing`: the server is there and takes nothing for now: full, a standby, too many users.
 */
export type Kind = 'conflict' | 'lost' | 'away' | 'late' | 'refusing';

const KINDS: Record<string, Kind> = {
  ER_LOCK_DEADLOCK: 'conflict',
  ER_LOCK_WAIT_TIMEOUT: 'conflict',
  ER_CHECKREAD: 'conflict',
  ECONNRESET: 'lost',
  EPIPE: 'lost',
  PROTOCOL_CONNECTION_LOST: 'lost',
  ER_SERVER_SHUTDOWN: 'lost',
  ER_CLIENT_INTERACTION_TIMEOUT: 'lost',
  ER_SESSION_WAS_KILLED: 'lost',
  ECONNREFUSED: 'away',
  ENOENT: 'away', // of a socket that is not there
  ENOTFOUND: 'away',
  EAI_AGAIN: 'away',
  ER_CON_COUNT_ERROR: 'away',
  ETIMEDOUT: 'late',
  PROTOCOL_SEQUENCE_TIMEOUT: 'late',
  ER_QUERY_INTERRUPTED: 'late',
  ER_DISK_FULL: 'refusing',
  ER_RECORD_FILE_FULL: 'refusing',
  ER_OPTION_PREVENTS_STATEMENT: 'refusing',
  ER_READ_ONLY_MODE: 'refusing',
  ER_CANT_UPDATE_WITH_READLOCK: 'refusing',
  ER_TOO_MANY_USER_CONNECTIONS: 'refusing',
  ER_USER_LIMIT_REACHED: 'refusing',
  ER_OUT_OF_RESOURCES: 'refusing',
};

/** MariaDB's "connection was killed", which a server that stops says; the driver has no name for it. */
const KILLED = 1927;

/** Of what the driver threw; undefined for a statement that is wrong. */
export function kindOf(error: unknown): Kind | undefined {
  const known = KINDS[codeOf(error)];
  if (known) return known;
  const { errno, fatal } = (error ?? {}) as { errno?: number; fatal?: boolean };
  return errno === KILLED || fatal ? 'lost' : undefined;
}
