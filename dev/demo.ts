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
import { forgetSettings, INTERRUPTED, stopOnSignals, stopWithoutReaders } from './runner.ts';

const root = resolve(import.meta.dirname, '..');
const folder = join(root, '.mega/demo');
const EXIT = { good: 0, failed: 1, badInput: 2, interrupted: INTERRUPTED } as const;
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
  stopOnSignals('demo', stopping);
  stopWithoutReaders(stopping);
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

/** A timer, since nothing else might keep this process alive. */
async function untilStopped(): Promise<void> {
  while (!signal.aborted) await sleep(longestTimerMs, undefined, { signal }).catch(() => undefined);
}
