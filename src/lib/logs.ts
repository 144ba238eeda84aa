import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Where the old tool's users look for it. */
export const DEFAULT_LOG_FILE = '/var/log/mega/mega_client.log';

export type LogOptions = {
  /** A path, or `stderr`. When its folder cannot be written, lines go to stderr, after one warning. */
  file?: string;
  level?: string;
  /** Fields that every line bears. */
  base?: Record<string, unknown>;
  /** Given each line that is written, too; it must neither throw nor wait. */
  also?: ((line: string) => void) | undefined;
};

/**
 * A logger that writes one JSON object a line, with passwords, secrets and tokens struck out.
 * It is reopened on SIGHUP by whoever owns the signal, through {@link reopenLogs}.
 */
export function createLogger(options: LogOptions = {}): Logger {
  const file = options.file ?? DEFAULT_LOG_FILE;
  const settings = {
    level: options.level ?? 'info',
    base: options.base ?? {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRETS, censor: '***' },
  };
  if (file === 'stderr') return pino(settings, both(toStderr(), options.also));
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    const target = destination({ dest: file, sync: true, append: true, mode: LOG_MODE });
    target.on('error', () => undefined); // a full disk must not stop the work that is being logged
    opened.add(target);
    return pino(settings, both(target, options.also));
  } catch (error) {
    const logger = pino(settings, both(toStderr(), options.also));
    logger.warn(
      { file, error: (error as Error).message },
      'the log file cannot be written; logging to stderr',
    );
    return logger;
  }
}

type Target = { write(line: string): unknown };

function both(target: Target, also: LogOptions['also']): Target {
  if (!also) return target;
  return {
    write: (line) => {
      target.write(line);
      also(line);
    },
  };
}

/** A full disk or a closed pipe behind it must not end the process. */
function toStderr() {
  const target = destination({ dest: 2, sync: true });
  target.on('error', () => undefined);
  return target;
}

/** Written by whoever owns it, read by those who look after the machine. */
const LOG_MODE = 0o640;

const opened = new Set<ReturnType<typeof destination>>();

/** After logrotate has moved the files. */
export function reopenLogs(): void {
  for (const target of opened) target.reopen();
}

const NAMES = ['password', 'passwordHash', 'secret', 'token', 'authorization'];
const SECRETS = NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
