import { terminalIsDumb } from '../lib/config.ts';
import { EXIT } from './exit.ts';
import { run } from './program.ts';
import { askSecret } from './terminal.ts';

/**
 * Entry point of `mega`. Ctrl-C ends it at once, unless a command has asked to be told and so can say what goes
 * on without it; a second Ctrl-C always does.
 */
const interruption = new AbortController();
let listening = false;

process.on('SIGINT', () => {
  if (!listening || interruption.signal.aborted) process.exit(EXIT.interrupted);
  interruption.abort(new Error('interrupted'));
});
// `mega host list | head -1`: whoever read has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.good : EXIT.failed),
);

const exitCode = await run(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  dumb: terminalIsDumb(),
  askSecret: process.stdin.isTTY && process.stderr.isTTY ? askSecret : undefined,
  interrupt: () => {
    listening = true;
    return interruption.signal;
  },
});
// What is read more slowly than we write is not to be cut off at the end.
await new Promise((written) => process.stdout.write('', written));
// Nothing that a connection left behind, such as a timer, may keep the user waiting.
process.exit(exitCode);
