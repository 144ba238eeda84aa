import { codeOf, MegaError, UnavailableError } from '../errors.ts';
import { tlsTrouble } from '../tls-errors.ts';
import { kindOf } from './kinds.ts';

/**
 * Errors of ours for those of the driver. They name the server, the database and the statement, and never a password.
 * Nor do they hold what the parameters were: servers quote values in their messages, and the driver keeps the statement
 * with all of them filled in; neither goes on, not even as a cause.
 */
export function told(raw: unknown, where: string, statement: string, hasParams: boolean): MegaError {
  if (raw instanceof MegaError) return raw;
  const text = hasParams ? withoutValues(textOf(raw)) : textOf(raw);
  const cause = bare(raw, text);
  if (codeOf(raw) === 'ER_ACCESS_DENIED_ERROR')
    return new UnavailableError(
      'database_refused',
      `${where} refuses the user or password; it may let some in over TLS only (?tls=on)`,
      { cause },
    );
  const tls = tlsTrouble(raw, `the database ${where}`);
  if (tls) return new UnavailableError('database_unavailable', tls, { cause });
  const kind = kindOf(raw);
  if (kind && kind !== 'conflict') {
    const how = kind === 'refusing' ? 'takes nothing for now' : 'cannot be reached';
    return new UnavailableError('database_unavailable', `the database ${where} ${how}: ${text}`, { cause });
  }
  const state = (raw as { sqlState?: string }).sqlState ?? '';
  const code = DATA.test(state) ? 'bad_data' : 'database_error';
  return new MegaError(code, `${where}: ${text} [${statement}]`, { cause });
}

/** SQL's classes of errors that the values themselves have made: out of range, too long, a broken constraint. */
const DATA = /^2[23]/;

export const brief = (sql: string) => sql.replace(/\s+/g, ' ').trim().slice(0, 120);

/** Node.js's AggregateError, of a name with several addresses, has no message of its own. */
function textOf(raw: unknown): string {
  return (raw as Error).message || codeOf(raw);
}

/** What a server quotes of values: `Duplicate entry 'x' for key`, `Incorrect integer value: 'x' for column`. */
const QUOTED = /\b(entry|value:?|argument:?) '.*'(?= (?:for|at|in|to)\b|$)/gs;
/** The rest of a statement from where it is wrong; up to its first value it helps. */
const NEAR = /\bnear '([^'"\d]*)['"\d].*'(?= at line)/gs;

export function withoutValues(text: string): string {
  return text.replace(QUOTED, '$1 ***').replace(NEAR, "near '$1***'");
}

function bare(raw: unknown, text: string): Error {
  const { code, errno, sqlState, fatal } = raw as Record<string, unknown>;
  return Object.assign(new Error(text), { code, errno, sqlState, fatal });
}
