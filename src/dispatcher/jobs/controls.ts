import type { Queryable } from '../../lib/conn.ts';
import { InputError } from '../../lib/errors.ts';
import type { Bound } from '../../lib/limits.ts';
import type { Context } from '../context.ts';
import { sendCancel } from '../publish.ts';
import { requireJobReleased } from '../quarantine.ts';
import {
  approveWave,
  type Cancelling,
  type ControlledJob,
  cancellingIn,
  cancelTasks,
  failedIn,
  lockJob,
  openJob,
  setMaxErrors,
  setRunning,
} from '../store/controls.ts';
import { type JobState, OPEN_JOBS } from '../store/jobs.ts';
import { addTries, type Order } from '../store/steps.ts';
import { pauseLocked } from './pause.ts';

/**
 * What operators do to a job. Each holds the job's row, as the driver does, so that nothing starts beside it; asked twice,
 * the second time changes nothing. `changed`: whether this call did.
 */
export type Controlled = { state: JobState; changed: boolean };

/** Nothing new starts; what is under way goes on. */
export async function pauseJob(context: Context, id: string, reason: string): Promise<Controlled> {
  return control(context, id, async (db, job) => {
    if (job.state === 'paused') return { state: 'paused', changed: false };
    requireState(job, ['running'], 'paused');
    await pauseLocked(context, db, job, reason);
    return { state: 'paused', changed: true };
  });
}

export async function resumeJob(context: Context, id: string, maxErrors?: Bound): Promise<Controlled> {
  return control(context, id, async (db, job) => {
    if (job.state === 'running') return { state: 'running', changed: false };
    requireState(job, ['paused'], 'resumed');
    await requireJobReleased(db, id);
    if (maxErrors !== undefined) await setMaxErrors(db, id, maxErrors);
    await setRunning(db, job);
    return { state: 'running', changed: true };
  });
}

/** Lets the job go on to this wave when the one before has ended; without: to the next one. */
export async function approveJob(context: Context, id: string, wave?: number): Promise<Controlled> {
  return control(context, id, async (db, job) => {
    requireState(job, ['running', 'paused'], 'approved');
    const next = wave ?? job.wave + 1;
    if (next > job.waves.length)
      throw new InputError('wrong_state', `job ${id} is in its last wave: there is nothing to approve`);
    if (next > job.wave + 1)
      throw new InputError('bad_argument', `wave: the next one is ${job.wave + 1}; approve one at a time`);
    await approveWave(db, id, next);
    return { state: job.state, changed: next === job.wave + 1 };
  });
}

/** Ends what has not begun, and asks the hosts to stop what has; the job ends when all of that has. */
export async function cancelJob(context: Context, id: string): Promise<Controlled> {
  const outcome = await control(context, id, async (db, job): Promise<Controlled> => {
    if (job.state === 'cancelled') return { state: job.state, changed: false };
    requireState(job, OPEN_JOBS, 'cancelled');
    await cancelTasks(db, id);
    return { state: 'cancelling', changed: job.state !== 'cancelling' };
  });
  if (outcome.state === 'cancelling') await tellHosts(context, await cancellingIn(context.db, id));
  return outcome;
}

const TOLD_AT_ONCE = 200;

/** Who does not hear of it is told when it says hello. */
async function tellHosts(context: Context, tasks: Cancelling[]): Promise<void> {
  for (let at = 0; at < tasks.length; at += TOLD_AT_ONCE) {
    const some = tasks.slice(at, at + TOLD_AT_ONCE);
    await Promise.all(some.map(({ id, host }) => sendCancel(context, id, host)));
  }
}

/** New tasks take the place of those that failed, in the same waves; a job that has ended is open again. */
export async function retryJob(context: Context, id: string): Promise<Controlled & { tasks: number }> {
  return control(context, id, async (db, job) => {
    if (job.state === 'cancelling') requireState(job, [], 'tried again');
    await requireJobReleased(db, id);
    const failed = (await failedIn(db, id)).map((task) => ({ id: task, pauseMs: 0 }));
    const how = { ready: !job.driven, deadlineMs: job.deadlineMs };
    const tasks = await addTries(db, failed, how, orderAgain);
    const ended = !(OPEN_JOBS as readonly string[]).includes(job.state);
    if (tasks > 0 && job.state !== 'paused') await openJob(db, id, job.deadlineMs);
    return { state: ended && tasks > 0 ? 'running' : job.state, changed: tasks > 0, tasks };
  });
}

/** It is a new order: what the host runs by now is what it is to be moved from, if it is not there already. */
function orderAgain(args: Record<string, unknown>, version: string | null): Order {
  if (!('expect' in args)) return { args };
  const done = version === args.to ? `runs ${version} already` : undefined;
  return { args: { ...args, expect: version }, done };
}

async function control<T>(
  context: Context,
  id: string,
  work: (db: Queryable, job: ControlledJob) => Promise<T>,
): Promise<T> {
  const outcome = await context.db.transaction(async (db) => {
    const job = await lockJob(db, id);
    if (!job) throw new InputError('unknown_job', `there is no job ${id}; mega job list shows the latest`);
    return work(db, job);
  });
  context.driver.note(id);
  return outcome;
}

function requireState({ id, state }: ControlledJob, may: readonly JobState[], what: string): void {
  if (may.includes(state)) return;
  const is = state === 'cancelling' ? 'is being cancelled' : `is ${state.replaceAll('_', ' ')}`;
  throw new InputError('wrong_state', `job ${id} ${is} and cannot be ${what}`);
}
