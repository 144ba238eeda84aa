import { join } from 'node:path';
import { codeOf } from '../../lib/errors.ts';
import { readIfThere } from '../../lib/files.ts';
import { sleep } from '../../lib/utils.ts';
import { killMarked, lives, type ProcessId, runsWith, signal } from '../keeper/process-id.ts';
import type { End, RunFolder } from '../keeper/run-folder.ts';

const LOOK_MS = 100;
/** For so long a keeper that runs may take to say so. */
const COMING_MS = 10_000;
/** More than a keeper takes to end what it keeps, besides the time that it gives to that. */
const ENDING_MS = 10_000;

/** How a run ended; `gone`: its keeper died first, or never came. */
export type Outcome = { end: End } | { gone: string };

export type Following = {
  /** Aborted at the task's limit, when it is cancelled, and when the agent stops. */
  signal: AbortSignal;
  task: string;
  graceMs: number;
  /** Told again and again, to see what is new. */
  onLook(): void;
};

/**
 * Waits for the end of a run, by whichever agent it was begun. Rejects when the agent stops: the run goes on. Whatever
 * happens to its keeper, the waiting ends.
 */
export async function follow(folder: RunFolder, following: Following): Promise<Outcome> {
  const began = performance.now();
  let stoppedAt: number | undefined;
  for (;;) {
    const keeper = folder.keeper; // first: one that has ended by now has written down how
    const end = folder.end;
    following.onLook();
    if (end) return { end };
    if (keeper === null) return { gone: 'it was not begun' };
    if (keeper && !lives(keeper)) return gone(folder, following.task);
    if (following.signal.aborted) {
      if (codeOf(following.signal.reason) === 'stopping') throw following.signal.reason;
      stoppedAt ??= stop(folder, keeper, codeOf(following.signal.reason));
      if (performance.now() - stoppedAt > following.graceMs + ENDING_MS) killAll(keeper, following.task);
    }
    if (keeper === undefined) {
      const isComing = runsWith(folder.path) && performance.now() - began < COMING_MS;
      if (!isComing && folder.claim(null)) return { gone: notBegun(folder) };
    }
    await Promise.race([
      sleep(LOOK_MS),
      stoppedAt === undefined ? aborted(following.signal) : sleep(LOOK_MS),
    ]);
  }
}

/** At its limit its keeper ends it by itself, which has known that limit from the first. */
function stop(folder: RunFolder, keeper: ProcessId | undefined, why: string): number {
  if (why !== 'timed_out') {
    if (keeper) signal(keeper.pid, 'SIGTERM');
    else folder.claim(null);
  }
  return performance.now();
}

/** A keeper that answers no more. */
function killAll(keeper: ProcessId | undefined, task: string): void {
  if (keeper) signal(keeper.pid, 'SIGKILL');
  killMarked(task);
}

/** Nobody can learn any more how the script ends, or end it in time: it does not go on without that. */
function gone(folder: RunFolder, task: string): Outcome {
  const { end } = folder;
  if (end) return { end };
  const killed = killMarked(task) > 0 ? '; what was left of it was killed' : '';
  const why = 'the process that kept it is gone (a restart of the host, a stop of its service, or no memory)';
  return { gone: `${why}${killed}; how it ended is not known` };
}

function notBegun(folder: RunFolder): string {
  const said = readIfThere(join(folder.path, 'keeper.log'))?.trim().split('\n').at(-1);
  return `it was not begun: no process came to keep it${said ? `: ${said}` : ''}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
