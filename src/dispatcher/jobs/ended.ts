import type { Queryable } from '../../lib/conn.ts';
import type { Logger } from '../../lib/logs.ts';
import { countStates, endedJobs, finishJobs, type JobRow } from '../store/jobs.ts';
import { announce } from './announce.ts';
import { nameOf } from './words.ts';

/** Of the others whoever ordered them waits for the answer, or a script does, which may order them all the time. */
const isTold = ({ type, limits }: JobRow) =>
  type === 'client_upgrade' || (type !== 'ping' && limits !== null);

/** Ends those of the jobs that have no open task left and are not driven, and tells of them. */
export async function endJobs(room: { db: Queryable; logger: Logger }, ids: string[]): Promise<void> {
  if ((await finishJobs(room.db, ids)) === 0) return;
  for (const job of await endedJobs(room.db, ids)) await announceEnd(room, job);
}

export async function announceEnd(room: { db: Queryable; logger: Logger }, job: JobRow): Promise<void> {
  if (!isTold(job)) return;
  const counts = Object.entries(await countStates(room.db, job.id)).map(([state, n]) => `${n} ${state}`);
  const kind = job.state === 'failed' || job.state === 'partial' ? 'job_failed' : 'job_finished';
  await announce(room, { kind, about: job.id, text: `${nameOf(job)} is ${job.state}: ${counts.join(', ')}` });
}
