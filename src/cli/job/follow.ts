import { describe } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import { sleep } from '../../lib/utils.ts';
import type { JobWithCounts, Task } from '../answers.ts';
import { isUnavailable } from '../exit.ts';
import { tasksOf } from '../session.ts';

export type Snapshot = { job: JobWithCounts; tasks: Task[] };
export type FollowOptions = {
  signal: AbortSignal;
  /** Without: only the job itself, as soon as it has ended. */
  tasks: boolean;
  /** How long the dispatcher may wait for the end before it answers. */
  lookMs?: number;
  /** Told once for each time that the dispatcher or the broker falls silent. */
  onTrouble?: (text: string) => void;
};

/** How long the dispatcher may wait for the end before it answers, when every step is to be shown and when not. */
const LOOK_MS = 300;
const WAIT_MS = 3_000;
const ANSWER_MS = 10_000;
const RETRY_MS = 1_000;
/** An outage is no verdict on the job; but a watcher must not wait for ever. */
const PATIENCE_MS = 5 * 60_000;
/** Hosts beyond this are counted, not shown one by one. */
const MOST_HOSTS = 500;

const OPEN_STATES = new Set(['pending', 'running', 'paused', 'cancelling']);
export const hasEnded = (state: string) => !OPEN_STATES.has(state);

/** Looks at a job again and again; the last snapshot is the one in which it has ended. */
export async function* follow(call: Call, id: string, options: FollowOptions): AsyncGenerator<Snapshot> {
  const { signal, tasks, lookMs = tasks ? LOOK_MS : WAIT_MS, onTrouble } = options;
  let silentSince: number | undefined;
  for (;;) {
    let seen: Snapshot | undefined;
    try {
      seen = await unlessAborted(look(call, id, tasks, lookMs), signal);
      silentSince = undefined;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      if (silentSince === undefined)
        onTrouble?.(`${describe(error)}; the job is not touched by that; trying again`);
      silentSince ??= performance.now();
      if (performance.now() - silentSince > PATIENCE_MS) throw error;
    }
    if (seen) yield seen;
    if (seen && hasEnded(seen.job.state)) return;
    if (!seen) await sleep(RETRY_MS, signal);
  }
}

/** The job first: when it has ended, what its tasks say afterwards is final. */
async function look(call: Call, id: string, tasks: boolean, waitMs: number): Promise<Snapshot> {
  const job = await call<JobWithCounts>('get_job', { id, waitMs }, { timeoutMs: waitMs + ANSWER_MS });
  return { job, tasks: tasks ? await tasksOf(call, id, MOST_HOSTS, { events: true }) : [] };
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}
