import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { schemas } from '../../lib/messages.ts';
import { waitingFor } from '../jobs/waiting.ts';
import { countErrors, countWaves, type JobRow, type WaveCount } from '../store/jobs.ts';
import { timesOfWaves, type WaveTimes } from '../store/wave-times.ts';
import type { Room } from './function.ts';
import { shownArgs } from './shown.ts';

/** How functions tell a job. */

export const unknownJob = (id: string) =>
  new InputError('unknown_job', `there is no job ${id}; mega job list shows the latest`);

/** What cannot be an id is no job either. */
export const jobId = z.uuid({
  error: ({ input }) => `there is no job ${JSON.stringify(input)}; mega job list shows the latest`,
});

export const job = z.object({
  id: z.string(),
  type: z.string(),
  args: schemas.json,
  target: z.string(),
  state: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  /** Null where all tasks may start at once. */
  limits: schemas.json.nullable(),
  pausedReason: z.string().nullable(),
});

const counts = z.record(z.string(), z.number());
export const jobNow = job.extend({
  counts,
  /** The one that is under way. */
  wave: z.number(),
  /** How many count against the bound of errors; those that were forgiven by a resume do not. */
  errors: z.number(),
  forgiven: z.number(),
  /** All of them, by kind: a state, or `rolled_back` and `rollback_failed`. */
  errorKinds: counts,
  /** Why nothing moves; null while something does. */
  waitingFor: z
    .object({
      what: z.enum(['approval', 'pause', 'window', 'frozen', 'hosts']),
      until: z.string().nullable(),
      text: z.string(),
    })
    .nullable(),
  waves: z.array(
    z.object({
      ...{ wave: z.number(), hosts: z.number(), counts },
      startedAt: z.string().nullish(),
      finishedAt: z.string().nullish(),
    }),
  ),
});

const iso = (at: Date | null) => at?.toISOString() ?? null;

export function told(row: JobRow): z.infer<typeof job> {
  const { id, type, target, state, createdBy, limits, pausedReason } = row;
  const times = { createdAt: row.createdAt.toISOString(), startedAt: iso(row.startedAt) };
  const about = { id, type, args: shownArgs(row.args), target, state, createdBy, limits, pausedReason };
  return { ...about, ...times, finishedAt: iso(row.finishedAt) };
}

/** With `times`, when each wave began and ended, too. */
export async function toldNow(
  { db, config }: Room,
  row: JobRow,
  times: boolean,
): Promise<z.infer<typeof jobNow>> {
  const at = times ? await timesOfWaves(db, row.id) : undefined;
  const waves = await countWaves(db, row.id);
  const errors = await countErrors(db, row.id);
  const all = errors.reduce((sum, one) => sum + one.n, 0);
  const forgiven = errors.reduce((sum, one) => sum + one.forgiven, 0);
  const waiting = await waitingFor(db, row, waves, config.taskDeadlineMs);
  return {
    ...told(row),
    wave: row.wave,
    counts: byState(waves),
    errors: all - forgiven,
    forgiven,
    errorKinds: Object.fromEntries(errors.map(({ kind, n }) => [kind, n])),
    waitingFor: waiting && { ...waiting, until: iso(waiting.until) },
    waves: [...Map.groupBy(waves, (one) => one.wave)]
      .toSorted(([a], [b]) => a - b)
      .map(([wave, some]) => ({
        wave,
        hosts: total(some),
        counts: byState(some),
        ...toldTimes(at?.get(wave)),
      })),
  };
}

const toldTimes = (at: WaveTimes | undefined) =>
  at && { startedAt: iso(at.startedAt), finishedAt: iso(at.finishedAt) };

const total = (some: WaveCount[]) => some.reduce((sum, one) => sum + one.n, 0);

function byState(some: WaveCount[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { state, n } of some) sums[state] = (sums[state] ?? 0) + n;
  return sums;
}
