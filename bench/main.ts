/*
 * What `npm run bench` runs: the suites of bench/suites, one after the other, each with servers of its own.
 * `npm run bench -- --help` tells the rest.
 */
import { readdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { INTERRUPTED, stopOnSignals } from '../dev/runner.ts';
import { describe } from '../src/lib/errors.ts';
import { commit, describeMachine } from './machine.ts';
import { HELP, type Options, parseOptions, UsageError } from './options.ts';
import { picture } from './picture.ts';
import { table } from './report.ts';
import { readResults, replaceFile, writeResult } from './results.ts';
import { openStage } from './stage.ts';
import type { Suite } from './suite.ts';

const root = join(import.meta.dirname, '..');
const results = join(root, 'bench/results');
const pictureFile = join(root, 'docs/performance.svg');
const stages = join(root, '.mega/bench');
const EXIT = { good: 0, failed: 1, badInput: 2, interrupted: INTERRUPTED } as const;
/** A person's own settings, which would lead the command line to a real fleet. */
const settings = ['MEGA_CONFIG', 'MEGA_BROKER', 'MEGA_MANAGEMENT', 'MEGA_DATABASE'];
/** From the ceiling of all to what people feel. Others come after these. */
const order = [
  'hop',
  'loop',
  'latency',
  'fleet',
  'restart',
  'operator',
  'library',
  'upgrade',
  'artifact',
  'tls',
  'agent',
  'growth',
];

const stopping = new AbortController();
const { signal } = stopping;

process.chdir(root);
process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  try {
    const names = suiteNames();
    const options = parseOptions(argv, names);
    if (options.help) process.stdout.write(HELP);
    else if (options.list) process.stdout.write(await listing(names));
    else return await bench(options, argv);
    return EXIT.good;
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    const usage = error instanceof UsageError;
    process.stderr.write(`bench: ${describe(error)}${usage ? '; see --help' : ''}\n`);
    return usage ? EXIT.badInput : EXIT.failed;
  }
}

function suiteNames(): string[] {
  const found = readdirSync(join(root, 'bench/suites')).map((file) => basename(file, '.ts'));
  return [...order.filter((name) => found.includes(name)), ...found.filter((name) => !order.includes(name))];
}

async function loadSuite(name: string): Promise<Suite> {
  return ((await import(`./suites/${name}.ts`)) as { suite: Suite }).suite;
}

async function listing(names: string[]): Promise<string> {
  const suites = await Promise.all(names.map(loadSuite));
  const width = Math.max(...names.map((name) => name.length));
  return suites.map(({ name, help }) => `${name.padEnd(width)}  ${help}\n`).join('');
}

/** A suite that fails says why, and the others go on. */
async function bench(options: Options, argv: string[]): Promise<number> {
  stopOnSignals('bench', stopping);
  for (const name of settings) delete process.env[name];
  const failed: string[] = [];
  for (const name of options.suites) {
    try {
      await runSuite(name, options, argv);
    } catch (error) {
      if (signal.aborted) return EXIT.interrupted;
      failed.push(name);
      say(`${name} FAILED: ${error instanceof Error && error.stack ? error.stack : describe(error)}`);
    }
  }
  if (isWritten(options)) writePicture();
  if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
  return failed.length > 0 ? EXIT.failed : EXIT.good;
}

/** Figures of a quick run never take the place of real ones by themselves. */
function isWritten({ quick, write }: Options): boolean {
  return !quick || write;
}

async function runSuite(name: string, options: Options, argv: string[]): Promise<void> {
  const { quick } = options;
  const suite = await loadSuite(name);
  const machine = await describeMachine();
  const began = performance.now();
  const log = (line: string) => say(`${name}: ${line}`);
  await using stage = openStage({ parent: stages, name, quick, log, signal });
  const figures = await suite.run(stage);
  signal.throwIfAborted();
  const seconds = Math.round((performance.now() - began) / 1000);
  const others = `others used ${Math.round(machine.busyBefore * 100)} % of the machine before`;
  const remark = [`${seconds} s`, others, ...(quick ? ['quick: for a look only'] : [])].join(', ');
  process.stdout.write(`\n${table(name, figures, remark)}\n`);
  if (!isWritten(options)) return;
  const command = ['npm run bench --', ...(argv.length > 0 ? argv : [name])].join(' ');
  const about = { command, quick, date: new Date().toISOString(), commit: await commit(root) };
  writeResult(results, { suite: name, figures, ...about, seconds, machine });
}

function writePicture(): void {
  const all = readResults(results, suiteNames());
  if (all.length === 0) return;
  replaceFile(pictureFile, picture(all));
  say(`${relative(root, pictureFile)} shows all results that are in ${relative(root, results)}`);
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}
