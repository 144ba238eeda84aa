import { join } from 'node:path';
import { codeOf, describe } from '../../lib/errors.ts';
import { type RemoteCmd, remoteCmd, type ScriptOutput } from '../../lib/orders.ts';
import { formatDuration } from '../../lib/utils.ts';
import { faultPoint } from '../fault.ts';
import { launchKeeper } from '../keeper/launch.ts';
import { type End as Ended, RunFolder } from '../keeper/run-folder.ts';
import type { Room } from '../room.ts';
import { follow, type Outcome } from '../script/follow.ts';
import { Lines } from '../script/lines.ts';
import { outputOf } from '../script/output.ts';
import { labelOf, makeWork, planScript } from '../script/plan.ts';
import { sweepRuns } from '../script/sweep.ts';
import { argsOf } from './args.ts';
import type { Run, TaskType } from './task.ts';

const MAX_LAST_LINE = 200;

/**
 * Runs a script of this host's script folder, or one that came with a release. A keeper of its own runs it and outlives
 * the agent; see src/agent/keeper/keep.ts.
 *
 * A crash: the next process follows the same run, which it finds in the folder of the run. That was begun is written down
 * before anything is started, and only then may there be a keeper; one that does not come in time never may. So the
 * script is begun once, or never, and never again.
 */
export const remoteCmdTask: TaskType = {
  name: 'remote_cmd',
  lane: 'script',
  onCrash: 'resume',
  run: async (run) => {
    const { room, entry } = run;
    const { task } = entry.order;
    const asked = argsOf(remoteCmd, entry.order.args);
    const folder = new RunFolder(join(room.home.scriptRuns, task));
    if (entry.facts.begun !== true) await begin(run, asked, folder);
    const lines = new Lines(folder, { task, script: labelOf(asked) }, room.ship);
    const following = { task, graceMs: asked.graceMs, signal: run.signal, onLook: () => lines.look() };
    noteCancelling(run);
    const outcome = await follow(folder, following);
    lines.finish();
    const output = outputOf(folder.path, 'end' in outcome ? outcome.end : undefined, asked.keepBytes);
    return { ...wordOf(outcome, { run, label: labelOf(asked) }, output), output };
  },
  tidy: ({ room }) => sweepRuns(room),
};

/** Errors: a Refusal, and then nothing was begun. */
async function begin({ room, entry, signal }: Run, asked: RemoteCmd, folder: RunFolder): Promise<void> {
  const { task } = entry.order;
  const plan = await planScript(room, entry.order, asked);
  signal.throwIfAborted();
  makeWork(room, plan);
  folder.prepare(plan, asked.stdin);
  faultPoint(room.home, 'script:prepared');
  room.journal.remember(task, { begun: true });
  faultPoint(room.home, 'script:noted');
  launchKeeper(folder);
  faultPoint(room.home, 'script:launched');
  room.logger.info({ task, script: labelOf(asked), run: folder.path }, 'a script was begun');
}

/** Who ended a script is not to be forgotten over our own end. */
function noteCancelling({ room, entry, signal }: Run): void {
  const note = () => {
    if (codeOf(signal.reason) !== 'cancelled') return;
    rememberSurely(room, entry.order.task);
  };
  if (signal.aborted) note();
  else signal.addEventListener('abort', note, { once: true });
}

function rememberSurely({ journal, logger }: Room, task: string): void {
  try {
    journal.remember(task, { cancelled: true });
  } catch (error) {
    logger.warn({ task, error: describe(error) }, 'that a script is cancelled cannot be written down');
  }
}

type About = { run: Run; label: string };

function wordOf(outcome: Outcome, { run, label }: About, output: ScriptOutput) {
  const { room, entry, signal } = run;
  const isCancelled = room.journal.entry(entry.order.task)?.facts.cancelled === true;
  if ('gone' in outcome) {
    if (signal.aborted || isCancelled) {
      return { state: isCancelled ? ('cancelled' as const) : ('timed_out' as const), reason: outcome.gone };
    }
    return { state: 'interrupted' as const, reason: outcome.gone };
  }
  const { end } = outcome;
  if (end.stopped === 'limit') {
    const limit = formatDuration(entry.order.timeoutMs);
    return { state: 'timed_out' as const, reason: `${label} was ended at its limit of ${limit}` };
  }
  if (end.stopped === 'asked') {
    if (isCancelled)
      return { state: 'cancelled' as const, reason: `${label} was ended, cancelled by an operator` };
    return {
      state: 'interrupted' as const,
      reason: `${label} was ended from outside: its keeper was told to stop`,
    };
  }
  if (end.code === 0) return { state: 'succeeded' as const };
  return { state: 'failed' as const, reason: `${label} ${howItFailed(end)}${lastLine(output)}` };
}

function howItFailed({ error, code, signal }: Ended): string {
  if (error !== null) return `could not be started: ${error}`;
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
}

/** Most scripts say last why they give up. */
function lastLine({ head, tail, encoding }: ScriptOutput): string {
  const line = encoding === 'utf8' ? (tail || head).trimEnd().split('\n').at(-1)?.trim() : '';
  return line ? `: ${line.slice(0, MAX_LAST_LINE)}` : '';
}
