import { CommanderError } from 'commander';
import { codeOf, InputError, UnavailableError } from '../lib/errors.ts';

/** What the exit code says; told in `mega --help`. */
export const EXIT = { good: 0, failed: 1, badInput: 2, unavailable: 3, held: 4, interrupted: 130 } as const;

export const EXIT_HELP = `Exit codes:
  0    good
  1    the thing failed, such as a job that did not succeed on every host
  2    wrong usage or bad input; the same again cannot help
  3    the broker, a dispatcher or the database cannot be had now; later may help
  4    a job watched without a terminal waits for a person: paused, or to be approved
  130  ended by Ctrl-C; a job that was watched goes on`;

/**
 * Of the dispatcher's errors only the unavailable ones keep their class on the way, so the code decides too. Its words
 * are regular: `unknown_host`, `bad_argument`, `wrong_version`, ...; `database_unavailable`, ...
 */
const BAD_INPUT =
  /^(unknown|bad|wrong)_|^(no_config|fleet_exists|no_runtime|refused|not_signed|below_minimum|downgrade|quarantined|metadata_expired|name_taken|version_taken|too_large|incomplete|malformed)$/;
const UNAVAILABLE = /_unavailable$|^(no_answer|no_dispatcher|stream_gone)$/;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return helpWasAskedFor(error) ? EXIT.good : EXIT.badInput;
  if (codeOf(error) === 'interrupted') return EXIT.interrupted;
  if (isUnavailable(error)) return EXIT.unavailable;
  return error instanceof InputError || BAD_INPUT.test(codeOf(error)) ? EXIT.badInput : EXIT.failed;
}

export function isUnavailable(error: unknown): boolean {
  return error instanceof UnavailableError || UNAVAILABLE.test(codeOf(error));
}

/** Commander calls help that it shows for want of a command `commander.help`, and that is not asked for. */
function helpWasAskedFor(error: CommanderError): boolean {
  return error.exitCode === 0;
}
