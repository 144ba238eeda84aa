/** What our own programs (demo, campaign, benchmarks, tests) have in common as processes. */

const SAME_SIGNAL_MS = 250;
export const INTERRUPTED = 130;

/**
 * The first signal aborts `stopping`, so that all ends in order; the second ends at once, and then all processes that
 * we have started end by their own watchdogs. npm passes on the Ctrl-C that the terminal has given us already, so what
 * comes right behind the first is the first.
 */
export function stopOnSignals(name: string, stopping: AbortController): void {
  let first = Number.POSITIVE_INFINITY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (performance.now() - first > SAME_SIGNAL_MS) process.exit(INTERRUPTED);
      if (Number.isFinite(first)) return;
      first = performance.now();
      process.stderr.write(`${name}: stopping (once more to stop at once) ...\n`);
      stopping.abort(new Error('interrupted'));
    });
  }
}

/** A pipe (`| head`) or a terminal that was closed: nobody reads any more. */
export function stopWithoutReaders(stopping: AbortController): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stopping.abort());
}

/** A person's own settings would lead our command line to another fleet than the one that we make. */
export function forgetSettings(): void {
  for (const name of ['MEGA_CONFIG', 'MEGA_BROKER', 'MEGA_MANAGEMENT', 'MEGA_DATABASE'])
    delete process.env[name];
}
