import type { Queryable } from '../../lib/conn.ts';
import type { Logger } from '../../lib/logs.ts';
import {
  type DrivenJob,
  errorsOf,
  lockDriven,
  nextTry,
  stale,
  standingOf,
  startable,
  triableAgain,
  waitsForWindow,
} from '../store/driving.ts';
import { countErrors, endedJobs, finishDriven } from '../store/jobs.ts';
import {
  addTries,
  beginWave,
  endWave,
  expireBegun,
  giveUp,
  lookForDeadlines,
  makeReady,
  setNextStart,
  setPaused,
  unready,
} from '../store/steps.ts';
import { type Gate, gateOf } from '../windows.ts';
import { announce } from './announce.ts';
import { announceEnd } from './ended.ts';
import { type Look, type Plan, planJob, type Step } from './plan.ts';
import { retryableEnds } from './retryable.ts';
import { nameOf, toldErrors } from './words.ts';

/** What starts in one look at most; there is another look at once. */
const MOST_STARTS = 1_000;
const MOST_RETRIES = 500;

export type Driving = { db: Queryable; logger: Logger; patienceMs: number };

/**
 * One step of a job, decided and done in the caller's transaction, which holds the job's row: of two dispatchers one
 * steps, and what was decided is what is done. Undefined when it has ended, or another dispatcher is at it.
 * `thorough`: what was ready and whose host went away makes room for others.
 */
export async function stepJob(driving: Driving, id: string, thorough: boolean): Promise<Plan | undefined> {
  const { db } = driving;
  const job = await lockDriven(db, id);
  if (!job) return undefined;
  const gate = await gateOf(db, job);
  if (thorough) await unready(db, await stale(db, job, gate));
  const plan = planJob(await lookAt(db, job, gate, driving.patienceMs));
  for (const step of plan.steps) await perform(driving, job, step);
  return plan;
}

/** What the planner is to know. */
export async function lookAt(db: Queryable, job: DrivenJob, gate: Gate, patienceMs: number): Promise<Look> {
  const { limits, type } = job;
  const running = job.state === 'running';
  const standing = await standingOf(db, job);
  const mayStart = running ? await startable(db, job, gate, MOST_STARTS) : [];
  const { retries = 0, maxErrors } = limits;
  const isQuiet = running && standing.inFlight === 0 && mayStart.length === 0;
  return {
    ...standing,
    ...{ state: job.state as Look['state'], limits, wave: job.wave, waves: job.waveSizes },
    ...{ now: job.now.getTime(), approvedWave: job.approvedWave, mayStart },
    waveEndedAt: ms(job.waveEndedAt),
    nextStartAt: ms(job.nextStartAt),
    deadlineAt: ms(job.deadlineAt),
    patienceMs: Math.max(patienceMs, limits.deadlineMs),
    errors: maxErrors === undefined ? new Map() : await errorsOf(db, job.id),
    nextTryAt: isQuiet ? ms(await nextTry(db, job)) : null,
    window: isQuiet || gate.shut ? await windowAt(db, job, gate) : null,
    triable: await triableAgain(db, job.id, retryableEnds(type), retries, MOST_RETRIES),
  };
}

/** The window that holds something back, if one does. */
async function windowAt(
  db: Queryable,
  job: DrivenJob,
  gate: Gate,
): Promise<NonNullable<Look['window']> | null> {
  if (!gate.shut && !(await waitsForWindow(db, job, gate))) return null;
  return { shut: gate.shut, opensAt: ms(gate.opensAt()) };
}

const ms = (at: Date | null) => at?.getTime() ?? null;

async function perform(driving: Driving, job: DrivenJob, step: Step): Promise<void> {
  const { db } = driving;
  const { id } = job;
  switch (step.do) {
    case 'start':
      await makeReady(db, step.tasks);
      if (step.nextStartAt !== null) await setNextStart(db, id, step.nextStartAt);
      return;
    case 'endWave':
      return endWave(db, id);
    case 'beginWave':
      return beginWave(db, job, step.wave);
    case 'tryAgain':
      await addTries(db, step.tasks, { ready: false, deadlineMs: job.limits.deadlineMs });
      return lookForDeadlines(db, job);
    case 'expire':
      return expireBegun(db, job);
    case 'giveUp':
      return giveUp(db, id, step.reason);
    case 'pause':
      return pauseForErrors(driving, job, step.reason);
    case 'finish':
      await finishDriven(db, id);
      for (const ended of await endedJobs(db, [id])) await announceEnd(driving, ended);
  }
}

async function pauseForErrors(driving: Driving, job: DrivenJob, excess: string): Promise<void> {
  const { db, patienceMs } = driving;
  const counting = (await countErrors(db, job.id)).filter(({ n, forgiven }) => n > forgiven);
  const reason = `${excess}: ${toldErrors(counting)}`;
  await setPaused(db, job.id, reason, Math.max(patienceMs, job.limits.deadlineMs));
  const text = `${nameOf(job)} has paused: ${reason}`;
  await announce(driving, { kind: 'job_paused', about: job.id, text });
}
