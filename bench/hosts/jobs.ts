import { until } from '../../dev/world/until.ts';
import { addJob } from '../../src/dispatcher/store/jobs.ts';
import { uuidv7 } from '../../src/lib/utils.ts';
import type { Arena } from './arena.ts';

const DAY_MS = 86_400_000;
const WAIT_MS = 5_000;
const END_MS = 300_000;

/** Through the dispatcher's own function; resolves to the job's id when it has ended. */
export async function pingJob(arena: Arena, on = ['all']): Promise<string> {
  const { job } = await arena.call<{ job: string }>('ping', { on });
  return untilEnded(arena, job);
}

/** No function makes tasks of a type that no agent has: its rows are written here, as a function would write them. */
export async function addNoopJob(arena: Arena, hosts: string[]): Promise<string> {
  const id = uuidv7();
  const tasks = hosts.map((host) => {
    return { id: uuidv7(), host, args: {}, state: 'pending' as const, reason: null, fromVersion: null };
  });
  const about = { type: 'noop', args: {}, target: 'all', by: 'bench', callKey: id };
  const limits = { timeoutMs: 60_000, deadlineMs: DAY_MS };
  await arena.db.transaction((db) => addJob(db, { id, ...about, ...limits, tasks }));
  return id;
}

export async function untilEnded(arena: Arena, job: string): Promise<string> {
  const ended = async () => {
    const { state } = await arena.call<{ state: string }>('get_job', { id: job, waitMs: WAIT_MS });
    return state !== 'running';
  };
  await until(`job ${job} to end`, ended, { deadlineMs: END_MS, pollMs: 1 });
  return job;
}

/** How many went well, and how long all took by the database's clock, from the first row to the last result. */
export async function outcome(arena: Arena, jobs: string[]): Promise<{ good: number; ms: number }> {
  const row = await arena.db.one<{ good: number; us: number }>(
    `SELECT SUM(state = 'succeeded') AS good, TIMESTAMPDIFF(MICROSECOND, MIN(created_at), MAX(finished_at)) AS us
     FROM tasks WHERE job_id IN (?)`,
    [jobs],
  );
  return { good: Number(row?.good), ms: Number(row?.us) / 1000 };
}
