import { describe } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import { sleep } from '../../lib/utils.ts';
import type { JobWithCounts, Task } from '../answers.ts';
import { isUnavailable } from '../exit.ts';
import { tasksOf } from '../session.ts';
import { statesOf, total } from './states.ts';

export type Snapshot = {
  job: JobWithCounts;
  /** Every host's with its events, in a small job; none in a large one. */
  tasks: Task[];
  /** In a large job: some of the tasks that ended badly, in order of host; and those that have run for longest. */
  failed: Task[];
  slowest: Task[];
};
export type FollowOptions = {
  signal: AbortSignal;
  /** Without: only the job itself, as soon as it has ended. */
  tasks: boolean;
  /** Of the job alone: how long the dispatcher may wait for the end before it answers. */
  jobMs?: number;
  /** Up to how many hosts each is looked at. */
  few?: number;
  /** Told once for each time that the dispatcher or the broker falls silent. */
  onTrouble?: (text: string) => void;
};

/** More hosts than these are counted, not shown one by one. */
export const FEW_HOSTS = 50;
const FEW_FAILED = 20;
const FEW_SLOWEST = 5;
const WAIT_MS = 3_000;
const ANSWER_MS = 10_000;
const RETRY_MS = 1_000;
/** An outage is no verdict on the job; but a watcher must not wait for ever. */
const PATIENCE_MS = 5 * 60_000;

/** How long from look to look: each counts all of the job's tasks. */
export function lookMs(hosts: number): number {
  if (hosts <= FEW_HOSTS) return 300;
  if (hosts <= 1_000) return 1_000;
  return hosts <= 10_000 ? 2_000 : 5_000;
}

const OPEN_STATES = new Set(['pending', 'running', 'paused', 'cancelling']);
export const hasEnded = (state: string) => !OPEN_STATES.has(state);

/** Looks at a job again and again; the last snapshot is the one in which it has ended. */
export async function* follow(call: Call, id: string, options: FollowOptions): AsyncGenerator<Snapshot> {
  const { signal, onTrouble } = options;
  let silentSince: number | undefined;
  let before: Snapshot | undefined;
  for (;;) {
    const waitMs = waitAfter(before, options);
    const began = performance.now();
    let seen: Snapshot | undefined;
    try {
      seen = await unlessAborted(look(call, id, waitMs, options, before), signal);
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
    before = seen ?? before;
    // A dispatcher need not wait for the end of a job that stands still; nor are we to ask it without a pause.
    await sleep(seen ? Math.max(0, waitMs - (performance.now() - began)) : RETRY_MS, signal);
  }
}

/** How long the dispatcher may wait for the end before it answers. */
function waitAfter(before: Snapshot | undefined, { tasks, jobMs = WAIT_MS }: FollowOptions): number {
  if (!tasks) return jobMs;
  return before ? lookMs(total(before.job.counts)) : 0;
}

/** The job first: when it has ended, what its tasks say afterwards is final. */
async function look(
  call: Call,
  id: string,
  waitMs: number,
  { tasks, few = FEW_HOSTS }: FollowOptions,
  before: Snapshot | undefined,
): Promise<Snapshot> {
  const job = await call<JobWithCounts>('get_job', { id, waitMs }, { timeoutMs: waitMs + ANSWER_MS });
  const seen = { job, tasks: [], failed: [], slowest: [] };
  if (!tasks) return seen;
  if (total(job.counts) <= few) {
    return { ...seen, tasks: await tasksOf(call, id, Number.POSITIVE_INFINITY, { events: true }) };
  }
  return { ...seen, failed: await failedOf(call, job, before), slowest: await slowestOf(call, job) };
}

/** Asked for again only when there are others. */
async function failedOf(call: Call, job: JobWithCounts, before: Snapshot | undefined): Promise<Task[]> {
  const states = statesOf('bad');
  const counted = ({ counts }: JobWithCounts) => states.map((state) => counts[state] ?? 0).join();
  if (total(job.counts, 'bad') === 0) return [];
  if (before && counted(before.job) === counted(job)) return before.failed;
  return call<Task[]>('get_all_task', { job: job.id, states, limit: FEW_FAILED });
}

async function slowestOf(call: Call, job: JobWithCounts): Promise<Task[]> {
  if (total(job.counts, 'moving') === 0) return [];
  const states = statesOf('moving');
  return call<Task[]>('get_all_task', { job: job.id, states, order: 'slowest', limit: FEW_SLOWEST });
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}
