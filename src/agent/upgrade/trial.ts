import { readIfThere, removeDurably, syncFolder, writeDurably } from '../../lib/files.ts';
import type { Home } from '../../lib/home.ts';
import type { Trial } from '../../lib/messages.ts';

/**
 * The trial's files: the word between agent and loader, in plain text, because the loader is a shell script.
 * See the head of loader.sh for the other side. A trial line is
 *
 *     1 <task> <from> <to> <max-starts> <max-ticks> <hang-ticks> end [verdict of the loader]
 */
export type OpenTrial = { task: string; from: string; to: string; verdict: string };

/** `trial.count` first: a trial without its count is one whose budget is used up. */
export function openTrial(home: Home, task: string, from: string, to: string, budget: Trial): void {
  removeDurably(home.trialFailed);
  writeDurably(home.trialCount, '0000 00000000\n');
  const { starts, seconds, hangSeconds } = budget;
  writeDurably(home.trial, `1 ${task} ${from} ${to} ${starts} ${seconds} ${hangSeconds} end\n`);
}

/** The new release is kept from here on. */
export function closeTrial(home: Home): void {
  removeDurably(home.trial);
  removeDurably(home.trialCount);
}

/** The loader's word was heard and written into the journal. */
export function forgetFailedTrial(home: Home): void {
  syncFolder(home.root); // the loader cannot sync its swap of `current`: durable before its word goes
  removeDurably(home.trialFailed);
  removeDurably(home.trialCount);
}

export const readTrial = (home: Home) => parse(readIfThere(home.trial));
export const readFailedTrial = (home: Home) => parse(readIfThere(home.trialFailed));

function parse(text: string | undefined): OpenTrial | undefined {
  if (text === undefined) return undefined;
  const [line = ''] = text.split('\n');
  const [, task = 'unknown', from = '', to = '', , , , , ...verdict] = line.split(' ');
  return { task, from, to, verdict: verdict.join(' ').trim() };
}
