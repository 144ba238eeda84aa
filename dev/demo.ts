/*
 * What `npm run demo` runs: a fleet on this machine that is upgraded before your eyes, and that goes back by itself
 * from two broken releases; then it stays to be played with. `npm run demo -- --help` tells the rest.
 */
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownVersion } from '../src/cli/root.ts';
import { describe } from '../src/lib/errors.ts';
import { faultsOf } from './demo/figures.ts';
import { HELP, type Options, parseOptions, UsageError } from './demo/options.ts';
import { play, versionsAfter } from './demo/play.ts';
import { Show } from './demo/show.ts';
import { openPage, openStage } from './demo/stage.ts';
import { tellOutcome, tellWhatNext } from './demo/summary.ts';

const root = resolve(import.meta.dirname, '..');
const folder = join(root, '.mega/demo');
const EXIT = { good: 0, failed: 1, badInput: 2, interrupted: 130 } as const;
const sameSignalMs = 250;
const longestTimerMs = 2 ** 31 - 1;

const stopping = new AbortController();
const { signal } = stopping;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  try {
    const options = parseOptions(argv);
    if (options.help) process.stdout.write(HELP);
    return options.help ? EXIT.good : await demo(options);
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    process.stderr.write(`demo: ${describe(error)}${error instanceof UsageError ? '; see --help' : ''}\n`);
    return error instanceof UsageError ? EXIT.badInput : EXIT.failed;
  }
}

async function demo(options: Options): Promise<number> {
  stopOnSignals();
  forgetSettings();
  const show = new Show(options.json ? process.stderr : process.stdout);
  const versions = versionsAfter(ownVersion());
  await using stage = await openStage({ ...options, folder, from: versions.from, show, signal });
  const figures = await play(stage, versions, show, signal);
  const faults = faultsOf(figures, (host) => stage.agents.get(host)?.current);
  tellOutcome(show, figures, faults);
  if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  if (options.once) show.say('Without --once it stays, to be looked at and played with.');
  else {
    tellWhatNext(show, stage, await openPage(stage.world), versions, root);
    await untilStopped();
  }
  return faults.length === 0 ? EXIT.good : EXIT.failed;
}

/**
 * The first signal stops in order; the second at once, and then all processes end by their own watchdogs. npm passes
 * on the Ctrl-C that the terminal has given us already, so what comes right behind the first is the first.
 */
function stopOnSignals(): void {
  let first = Number.POSITIVE_INFINITY;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (performance.now() - first > sameSignalMs) process.exit(EXIT.interrupted);
      if (Number.isFinite(first)) return;
      first = performance.now();
      process.stderr.write('\ndemo: stopping (once more to stop at once) ...\n');
      stopping.abort(new Error('interrupted'));
    });
  }
  // `npm run demo | head`, or a terminal that was closed: nobody reads any more.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stopping.abort());
}

/** A person's own settings would lead our command line to another fleet than the demo's. */
function forgetSettings(): void {
  for (const name of ['MEGA_CONFIG', 'MEGA_BROKER', 'MEGA_MANAGEMENT', 'MEGA_DATABASE'])
    delete process.env[name];
}

/** A timer, since nothing else might keep this process alive. */
async function untilStopped(): Promise<void> {
  while (!signal.aborted) await sleep(longestTimerMs, undefined, { signal }).catch(() => undefined);
}
