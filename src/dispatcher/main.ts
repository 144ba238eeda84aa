import { parseArgs } from 'node:util';
import { loadDispatcherConfig } from '../lib/config.ts';
import { describe } from '../lib/errors.ts';
import { createLogger, reopenLogs } from '../lib/logs.ts';
import { startDispatcher } from './run.ts';

/** Entry point of `mega dispatcher`: SIGTERM and SIGINT stop it in order, a second one at once. */
const { values } = parseArgs({ options: { config: { type: 'string' } } });
try {
  const config = loadDispatcherConfig(values.config);
  const logger = createLogger({ file: 'stderr', level: config.logLevel });
  const dispatcher = await startDispatcher(config, logger);
  const stop = (signal: string) => {
    process.once(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM', () => process.exit(130));
    logger.info({ signal }, 'stopping');
    dispatcher[Symbol.asyncDispose]().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error: describe(error) }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.on('SIGHUP', reopenLogs);
} catch (error) {
  process.stderr.write(`mega dispatcher: ${describe(error)}\n`);
  process.exit(1);
}
