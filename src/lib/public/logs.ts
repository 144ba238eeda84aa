import { reopenLogs } from '../logs.ts';

/**
 * Logs as JSON lines, `mega-fleet/logs`:
 *
 *     const log = createLogger({ base: { script: 'backup' } });
 *     log.info({ rows: 12 }, 'copied');
 */
export { createLogger, DEFAULT_LOG_FILE, type Logger, type LogOptions, reopenLogs } from '../logs.ts';

/**
 * From now on SIGHUP opens the files anew, as logrotate wants it after it has moved them. For scripts that run long and
 * have no use of their own for that signal; others call {@link reopenLogs}. Called again it does nothing.
 */
export function reopenOnSighup(): void {
  if (!process.listeners('SIGHUP').includes(reopenLogs)) process.on('SIGHUP', reopenLogs);
}
