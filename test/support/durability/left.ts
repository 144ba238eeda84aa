import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '../../../src/agent/journal.ts';
import { type Ground, nextStep } from '../../../src/agent/upgrade/plan.ts';
import { readFailedTrial, readTrial } from '../../../src/agent/upgrade/trial.ts';
import { describe } from '../../../src/lib/errors.ts';
import { readIfThere } from '../../../src/lib/files.ts';
import { homeAt } from '../../../src/lib/home.ts';
import { boot, fakeNode } from './home.ts';
import { TASK } from './orders.ts';
import type { State } from './replay.ts';
import type { Op } from './trace.ts';

export type Known = Pick<Ground, 'phase' | 'facts'>;

/**
 * Starts the real loader on what a power loss left. What must hold (I2): a release that is there starts; the new
 * one, unless it is proved, only on an open trial whose counters can be read; and the plan of the release that was
 * started leads on to one of `may`, such as `1.0.0 switch`. Those met are put into `met`.
 */
export async function starts(
  state: State,
  known: Known,
  may: string[],
  met = new Set<string>(),
): Promise<string | undefined> {
  const home = homeAt(state.path);
  const trial = readIfThere(home.trial) ?? '';
  const count = readIfThere(home.trialCount) ?? '';
  const { release, said } = await boot(state.path);
  if (release === undefined) return `nothing starts:\n${said}`;
  if (!existsSync(join(home.release(release), 'agent.mjs'))) return `${release} is not there`;
  const open = /^1 \S+ 1\.0\.0 1\.1\.0 2 60 30 end\n$/.test(trial) && /^000[01] \d{8}\n$/.test(count);
  if (release === '1.1.0' && !open && !known.facts.proof) {
    return `1.1.0 starts without a trial (${JSON.stringify({ trial, count })})`;
  }
  const ground = { ...known, task: TASK, me: release, to: '1.1.0' };
  const step = nextStep({ ...ground, trial: readTrial(home), failed: readFailedTrial(home) });
  met.add(`${release} ${step.do}`);
  return may.includes(`${release} ${step.do}`)
    ? undefined
    : `${release} starts and would ${JSON.stringify(step)}`;
}

/** Opens the journal that a power loss left: what was acknowledged is in it, and what is in it will be told. */
export function opens(state: State): string | undefined {
  try {
    const journal = new Journal(homeAt(state.path).journal, 'db-01', '1.0.0');
    try {
      return whatIsWrong(journal, state.told);
    } finally {
      journal.close();
    }
  } catch (error) {
    return describe(error);
  }
}

function whatIsWrong(journal: Journal, told: string[]): string | undefined {
  const promised = told.filter((one) => one.startsWith('accepted ')).map((one) => one.split(' ')[1]!);
  const missing = promised.filter((id) => !journal.entry(id));
  if (missing.length > 0) return `acknowledged and not there: ${missing}`;
  const open = journal.open().map((entry) => `${entry.order.task}:${entry.seq}`);
  const unsent = journal.unsent(1000).map((one) => one.id);
  return open.join() === unsent.join() ? undefined : `open ${open}, to be told ${unsent}`;
}

/** Where SQLite moves its log into the database, and begins it anew: all ops at the edges, some in between. */
export function aroundTheMove(ops: Op[]): (index: number) => boolean {
  const moved = ops.findIndex((op) => op.do === 'write' && op.path === 'state/journal.db' && op.at! > 0);
  const synced = ops.findIndex((op, n) => n > moved && op.do === 'sync' && op.path === 'state/journal.db');
  const near = (index: number, edge: number, width: number) => Math.abs(index - edge) <= width;
  return (index) =>
    near(index, moved, 3) || near(index, synced, 5) || (index > moved && index < synced && index % 200 === 0);
}

/** A release whose runtime played a scene gets the one that only tells of its start. */
export function borrowRuntime(state: State): void {
  const node = join(homeAt(state.path).release('1.0.0'), 'runtime', 'bin', 'node');
  if (existsSync(node)) writeFileSync(node, fakeNode);
}
