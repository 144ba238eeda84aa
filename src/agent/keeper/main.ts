import { writeSync } from 'node:fs';
import { describe } from '../../lib/errors.ts';
import { keep } from './keep.ts';
import { RunFolder } from './run-folder.ts';

/**
 * Entry point of the keeper of one script, started by the agent with the folder of its run; see keep.ts. Its standard
 * error goes to a file there.
 */
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
process.on('SIGHUP', () => undefined);

try {
  await keep(new RunFolder(process.argv[2] ?? ''), stop.signal);
  process.exit(0);
} catch (error) {
  writeSync(2, `${describe(error)}\n`);
  process.exit(1);
}
