/*
 * What `npm run campaign` runs: a fleet at work on this machine whose servers, hosts and links are broken by a
 * schedule, and a checker that looks for what was lost, done twice or left over. `--help` tells the rest.
 */
import { randomInt } from 'node:crypto';
import { join, resolve } from 'node:path';
import { describe } from '../src/lib/errors.ts';
import { check, type Violation } from './campaign/check.ts';
import { type Evidence, gather } from './campaign/evidence.ts';
import { comeToRest } from './campaign/heal.ts';
import { keepEvidence } from './campaign/keep.ts';
import { HELP, type Options, parseOptions, UsageError } from './campaign/options.ts';
import { makeSchedule } from './campaign/schedule.ts';
import { BAD, GOOD, Stage } from './campaign/stage.ts';
import { storm, tasksByState } from './campaign/storm.ts';
import { describeViolation } from './campaign/violation.ts';
import { forgetSettings, INTERRUPTED, stopOnSignals, stopWithoutReaders } from './runner.ts';

const folder = join(resolve(import.meta.dirname, '..'), '.mega/campaign');
const EXIT = { good: 0, failed: 1, badInput: 2, interrupted: INTERRUPTED } as const;
const stopping = new AbortController();
const { signal } = stopping;
const began = performance.now();

process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  try {
    const options = parseOptions(argv, () => randomInt(2 ** 32));
    if (options.help) process.stdout.write(HELP);
    return options.help ? EXIT.good : await campaign(options);
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    process.stderr.write(
      `campaign: ${describe(error)}${error instanceof UsageError ? '; see --help' : ''}\n`,
    );
    return error instanceof UsageError ? EXIT.badInput : EXIT.failed;
  }
}

async function campaign(options: Options): Promise<number> {
  stopOnSignals('campaign', stopping);
  stopWithoutReaders(stopping);
  forgetSettings();
  const say = sayer(options.json ? process.stderr : process.stdout);
  const { seed, seconds, hosts } = options;
  say(`seed ${seed}`);
  await using stage = await Stage.open({ folder, hosts, bad: BAD, say, signal });
  const groups = stage.networks.length;
  const plan = { seed, seconds, hosts, groups, dispatchers: stage.dispatchers.length, good: GOOD, bad: BAD };
  const schedule = makeSchedule(plan);
  say(`${schedule.length} events in ${seconds} s, from seed ${seed}`);
  let evidence: Evidence | undefined;
  let found: Violation[] = [];
  try {
    const events = await storm(stage, schedule, seconds, { say, signal });
    const answers = await comeToRest(stage, { say, signal });
    evidence = await gather(stage, answers, GOOD[0]);
    found = check(evidence);
    const tasks = await tasksByState(stage);
    if (options.json) process.stdout.write(`${JSON.stringify({ seed, events, tasks, violations: found })}\n`);
    say(`events: ${listed(events)}`);
    say(`tasks: ${listed(tasks)}`);
  } catch (error) {
    if (!signal.aborted) say(`what is there is kept in ${keepEvidence(stage, seed, evidence, found)}`);
    throw error;
  }
  for (const violation of found) say(`VIOLATION ${describeViolation(violation)}`);
  if (found.length === 0) say('nothing was lost, done twice or left over');
  else say(`${found.length} violations; kept in ${keepEvidence(stage, seed, evidence, found)}`);
  return found.length === 0 ? EXIT.good : EXIT.failed;
}

function listed(counts: Record<string, number>): string {
  const sorted = Object.entries(counts).toSorted(([a], [b]) => a.localeCompare(b));
  return sorted.map(([name, n]) => `${n} ${name}`).join(', ');
}

function sayer(stream: NodeJS.WriteStream): (line: string) => void {
  return (line) =>
    stream.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
}
