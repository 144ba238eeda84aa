import { parseArgs } from 'node:util';
import { loadDispatcherConfig } from '../lib/config.ts';
import { describe, InputError, UnavailableError } from '../lib/errors.ts';
import { createLogger, reopenLogs } from '../lib/logs.ts';
import { startDispatcher } from './run.ts';

/** Entry point of `mega dispatcher`: SIGTERM and SIGINT stop it in order, a second one at once. */
const USAGE = `usage: mega dispatcher [--config FILE]

Keeps the truth in the database and speaks to the hosts through the broker; any number may run side by side.
The configuration holds broker, management and database URLs; mega setup writes one.

example: mega dispatcher --config /etc/mega/dispatcher.json
`;

function readArguments(): { config: string | undefined } {
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' }, help: { type: 'boolean' } } });
    if (!values.help) return { config: values.config };
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`mega dispatcher: ${describe(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const values = readArguments();
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
  if (error instanceof UnavailableError) process.exit(3);
  process.exit(error instanceof InputError ? 2 : 1);
}
