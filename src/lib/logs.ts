import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, type Logger, pino } from 'pino';
import { logSettings } from './environment.ts';
import { InputError } from './errors.ts';
import { redacted } from './logs/redact.ts';

export type { Logger } from 'pino';

/** Where the old tool's users look for it. */
export const DEFAULT_LOG_FILE = '/var/log/mega/mega_client.log';

export type LogOptions = {
  /** A path, or `stderr`; default: `$MEGA_LOG_FILE`, or {@link DEFAULT_LOG_FILE}. */
  file?: string | undefined;
  /** `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`; default: `$MEGA_LOG_LEVEL`, or `info`. */
  level?: string | undefined;
  /** Fields that every line bears. */
  base?: Record<string, unknown>;
  /** Is given each line that is written, without its secrets, to take it elsewhere as well; it must neither throw nor wait. */
  also?: ((line: string) => void) | undefined;
};

/**
 * A logger that writes one JSON object a line, without passwords, secrets and tokens. Where the file cannot be written,
 * lines go to stderr, after one warning. It never throws for a line: a full disk must not stop the work that is being
 * logged.
 *
 * The files are opened anew, for logrotate, by {@link reopenLogs}.
 */
export function createLogger(options: LogOptions = {}): Logger {
  const { file: fromEnvironment, level: levelThere } = logSettings();
  const file = options.file ?? fromEnvironment ?? DEFAULT_LOG_FILE;
  const level = options.level ?? levelThere ?? 'info';
  if (!LEVELS.includes(level))
    throw new InputError('bad_argument', `"${level}" is no level of a log: ${LEVELS.join(', ')}`);
  const settings = {
    level,
    base: options.base ?? {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: { streamWrite: outlet(options.also) },
  };
  if (file === 'stderr') return pino(settings, toStderr());
  try {
    return pino(settings, toFile(file));
  } catch (error) {
    const logger = pino(settings, toStderr());
    if (!warned.has(file))
      logger.warn(
        { file, error: (error as Error).message },
        'the log file cannot be written; logging to stderr',
      );
    warned.add(file);
    return logger;
  }
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** The one way of every line: what leaves here has no secrets. */
function outlet(also: LogOptions['also']): (line: string) => string {
  if (!also) return redacted;
  return (line) => {
    const clean = redacted(line);
    also(clean);
    return clean;
  };
}

function toFile(file: string) {
  const known = opened.get(file);
  if (known) return known;
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const target = destination({ dest: file, append: true, mode: LOG_MODE, ...CAUTIOUS });
  target.on('error', () => undefined);
  opened.set(file, target);
  return target;
}

/** A full disk or a closed pipe behind it must not end the process. */
function toStderr() {
  const target = destination({ dest: 2, ...CAUTIOUS });
  target.on('error', () => undefined);
  return target;
}

/** Written at once, since what is last said before a crash matters most; what a full disk does not take is bounded. */
const CAUTIOUS = { sync: true, maxLength: 1 << 20 };
/** Written by whoever owns it, read by those who look after the machine. */
const LOG_MODE = 0o640;

/** By file: loggers of the same one share it. */
const opened = new Map<string, ReturnType<typeof destination>>();
const warned = new Set<string>();

/** After logrotate has moved the files. Where one cannot be opened again, what it had goes on being written. */
export function reopenLogs(): void {
  for (const target of opened.values()) {
    try {
      target.reopen();
    } catch {
      // Its folder is gone: the next time may find it again.
    }
  }
}
