import type { Param, Queryable } from '../../lib/conn.ts';
import type { Limits } from '../../lib/limits.ts';
import type { Retryable } from '../jobs/retryable.ts';
import { ERROR_STATES, OPEN_STATES } from '../tasks.ts';
import { SENDABLE, UNLEASED } from './due.ts';
import type { JobState } from './jobs.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/**
 * What the driver of jobs reads. Each question is answered by the key `job_state`, and none of them reads the tasks that
 * wait for a later wave or have ended well: what a look costs depends on what is under way, not on the fleet.
 */
export type DrivenJob = {
  id: string;
  type: string;
  args: Record<string, unknown>;
  target: string;
  state: JobState;
  limits: Limits & { deadlineMs: number };
  wave: number;
  waveSizes: number[];
  /** Which windows its hosts keep: see windows.ts. */
  windowSets: string[];
  waveEndedAt: Date | null;
  approvedWave: number;
  nextStartAt: Date | null;
  /** The first of the deadlines of what waits in the waves that have begun; of a paused job, when it is given up. */
  deadlineAt: Date | null;
  now: Date;
};

const COLUMNS = sql`
  id, type, args, target, state, limits, wave, wave_sizes AS waveSizes, window_sets AS windowSets, wave_ended_at AS waveEndedAt,
  approved_wave AS approvedWave, next_start_at AS nextStartAt, deadline_at AS deadlineAt, UTC_TIMESTAMP(3) AS now`;

export type DrivenState = { id: string; state: JobState };

/** The jobs that are driven and have not ended. */
export async function drivenJobs(db: Queryable): Promise<DrivenState[]> {
  const statement = sql`
    SELECT id, state FROM jobs
    WHERE state IN ('running', 'paused', 'cancelling') AND limits IS NOT NULL ORDER BY created_at`;
  return db.query<DrivenState>(statement);
}

/** The job's row, locked until the transaction ends; undefined when it has ended, or another dispatcher holds it. */
export async function lockDriven(db: Queryable, id: string): Promise<DrivenJob | undefined> {
  const statement = sql`
    SELECT ${COLUMNS} FROM jobs
    WHERE id = ? AND state IN ('running', 'paused', 'cancelling') AND limits IS NOT NULL FOR UPDATE SKIP LOCKED`;
  const row = await db.one<DrivenJob>(statement, [id]);
  return row && told(row);
}

export async function getDriven(db: Queryable, id: string): Promise<DrivenJob | undefined> {
  const row = await db.one<DrivenJob>(sql`SELECT ${COLUMNS} FROM jobs WHERE id = ? AND limits IS NOT NULL`, [
    id,
  ]);
  return row && told(row);
}

const OF_JOB = sql`t.job_id = ? AND t.retried = 0`;
const UNDER_WAY = OPEN_STATES.filter((state) => state !== 'pending');

/** The waves that have begun: a list of numbers finds each of them in the key, which a range would not. */
export const begunWaves = ({ wave }: Pick<DrivenJob, 'wave'>) =>
  Array.from({ length: wave }, (_, i) => i + 1);

export type Standing = {
  /** Sent, or about to be. */
  inFlight: number;
  /** Anything of the whole job is not ended. */
  open: boolean;
  /** Of the wave that is under way: something waits; something went well. */
  waits: boolean;
  succeeded: boolean;
  frozen: boolean;
};

export async function standingOf(db: Queryable, job: DrivenJob): Promise<Standing> {
  const statement = sql`
    SELECT
      (SELECT COUNT(*) FROM tasks t WHERE ${OF_JOB} AND t.state IN (?))
        + (SELECT COUNT(*) FROM tasks t WHERE ${OF_JOB} AND t.state = 'pending' AND t.wave IN (?) AND t.ready IN (1, 2))
        AS inFlight,
      EXISTS (SELECT 1 FROM tasks t WHERE ${OF_JOB} AND t.state IN (?)) AS open,
      EXISTS (SELECT 1 FROM tasks t WHERE ${OF_JOB} AND t.state = 'pending' AND t.wave = ?) AS waits,
      EXISTS (SELECT 1 FROM tasks t WHERE ${OF_JOB} AND t.state = 'succeeded' AND t.wave = ?) AS succeeded,
      EXISTS (SELECT 1 FROM freeze) AS frozen`;
  const { id, wave } = job;
  const sent = [id, [...UNDER_WAY], id, begunWaves(job)];
  const row = await db.one<Standing>(statement, [...sent, id, [...OPEN_STATES], id, wave, id, wave]);
  return {
    inFlight: Number(row!.inFlight),
    open: Boolean(row!.open),
    waits: Boolean(row!.waits),
    succeeded: Boolean(row!.succeeded),
    frozen: job.type !== 'ping' && Boolean(row!.frozen),
  };
}

/** Errors that count, by wave. */
export async function errorsOf(db: Queryable, id: string): Promise<Map<number, number>> {
  const statement = sql`
    SELECT t.wave, COUNT(*) AS n FROM tasks t
    WHERE ${OF_JOB} AND t.state IN (?) AND t.forgiven = 0 GROUP BY t.wave`;
  const rows = await db.query<{ wave: number; n: number }>(statement, [id, [...ERROR_STATES]]);
  return new Map(rows.map((row) => [row.wave, Number(row.n)]));
}

const WAITS = sql`${OF_JOB} AND t.state = 'pending' AND t.wave IN (?) AND t.ready = 0`;

/** What keeps hosts from beginning: the job's own window, and the sets of windows of hosts of which none is open. */
export type Shut = { shut: boolean; closedSets: string[] };
/** A list must not be empty, and no set is called so. */
const listed = (sets: string[]) => (sets.length === 0 ? [''] : sets);

/** Tasks that may start now, if the limits let them: their hosts are there, and nothing else holds them back. */
export async function startable(
  db: Queryable,
  job: DrivenJob,
  { closedSets }: Shut,
  most: number,
): Promise<string[]> {
  const statement = sql`
    SELECT t.id FROM tasks t JOIN hosts h ON h.id = t.host_id
    WHERE ${WAITS} AND ${SENDABLE} AND ${UNLEASED} AND t.deadline_at > UTC_TIMESTAMP(3)
      AND (t.not_before IS NULL OR t.not_before <= UTC_TIMESTAMP(3))
      AND (t.windows IS NULL OR t.windows NOT IN (?))
    LIMIT ?`;
  const params = [job.id, begunWaves(job), listed(closedSets), most];
  return (await db.query<{ id: string }>(statement, params)).map((row) => row.id);
}

/** Whether one of the hosts that are waited for keeps windows of which none is open. */
export async function waitsForWindow(db: Queryable, job: DrivenJob, { closedSets }: Shut): Promise<boolean> {
  if (closedSets.length === 0) return false;
  const statement = sql`SELECT t.id FROM tasks t WHERE ${WAITS} AND t.windows IN (?) LIMIT 1`;
  return (await db.one(statement, [job.id, begunWaves(job), closedSets])) !== undefined;
}

/** Whether anything waits of a host that could take it now. */
export async function waitsForUs(db: Queryable, id: string): Promise<boolean> {
  const statement = sql`
    SELECT t.id FROM tasks t JOIN hosts h ON h.id = t.host_id
    WHERE ${OF_JOB} AND t.state = 'pending' AND ${SENDABLE} LIMIT 1`;
  return (await db.one(statement, [id])) !== undefined;
}

/** When the next host that is there tries again. */
export async function nextTry(db: Queryable, job: DrivenJob): Promise<Date | null> {
  const statement = sql`
    SELECT MIN(t.not_before) AS \`at\` FROM tasks t JOIN hosts h ON h.id = t.host_id
    WHERE ${WAITS} AND ${SENDABLE} AND t.not_before > UTC_TIMESTAMP(3)`;
  const row = await db.one<{ at: Date | null }>(statement, [job.id, begunWaves(job)]);
  return row?.at ?? null;
}

export type Failed = { id: string; tries: number };

/** Ended in one of these ways, and not tried often enough yet. */
export async function triableAgain(
  db: Queryable,
  id: string,
  ways: readonly Retryable[],
  retries: number,
  most: number,
): Promise<Failed[]> {
  if (ways.length === 0 || retries === 0) return [];
  const either = ways.map(({ phases }) => (phases ? sql`t.state = ? AND t.phase IN (?)` : sql`t.state = ?`));
  const statement = sql`
    SELECT t.id, t.tries FROM tasks t JOIN hosts h ON h.id = t.host_id
    WHERE ${OF_JOB} AND t.state IN (?) AND t.tries <= ? AND ((${either.join(sql`) OR (`)})) LIMIT ?`;
  const states = ways.map((way) => way.state);
  const params: Param[] = ways.flatMap((way) => [way.state, ...(way.phases ? [[...way.phases]] : [])]);
  const rows = await db.query<Failed>(statement, [id, states, retries, ...params, most]);
  return rows.map((row) => ({ id: row.id, tries: Number(row.tries) }));
}

/**
 * Ready, and not sent: their hosts went away or their windows closed, or they were taken back while their order was just
 * being sent.
 */
export async function stale(db: Queryable, job: DrivenJob, { shut, closedSets }: Shut): Promise<string[]> {
  const statement = sql`
    SELECT t.id FROM tasks t LEFT JOIN hosts h ON h.id = t.host_id
    WHERE ${OF_JOB} AND t.state = 'pending' AND t.wave IN (?) AND t.ready IN (1, 2) AND ${UNLEASED}
      AND (t.ready = 2 OR h.id IS NULL OR NOT (${SENDABLE}) OR ? = 1 OR t.windows IN (?))`;
  const params = [job.id, begunWaves(job), shut ? 1 : 0, listed(closedSets)];
  return (await db.query<{ id: string }>(statement, params)).map((row) => row.id);
}

/** The first deadline of what waits in the waves that have begun. */
export async function firstDeadline(db: Queryable, job: DrivenJob): Promise<Date | null> {
  const statement = sql`
    SELECT MIN(t.deadline_at) AS \`at\` FROM tasks t WHERE ${OF_JOB} AND t.state = 'pending' AND t.wave IN (?)`;
  return (await db.one<{ at: Date | null }>(statement, [job.id, begunWaves(job)]))?.at ?? null;
}

const told = (row: DrivenJob): DrivenJob => ({
  ...row,
  args: parsed(row.args),
  limits: parsed(row.limits),
  waveSizes: parsed(row.waveSizes),
  windowSets: row.windowSets === null ? [] : parsed(row.windowSets),
});
