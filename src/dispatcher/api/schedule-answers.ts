import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { schemas } from '../../lib/messages.ts';
import { upcoming, whenOf } from '../schedules/times.ts';
import { type FiringRow, listFirings } from '../store/firings.ts';
import { getSchedule, type ScheduleRow } from '../store/schedules.ts';
import type { Room } from './function.ts';

/** How schedules are told. */
export const SHOWN = 5;
const FIRINGS = 20;

export const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/, 'a name of a-z, 0-9, _, . and -, at most 63');
const due = z.object({ at: z.string(), local: z.string(), note: z.string().nullable() });
export const firing = z.object({
  dueAt: z.string(),
  state: z.enum(['due', 'made', 'missed', 'skipped', 'failed']),
  job: z.string().nullable(),
  reason: z.string().nullable(),
});
export const schedule = z.object({
  name: z.string(),
  state: z.enum(['active', 'paused', 'done']),
  when: z.string(),
  zone: z.string(),
  fn: z.string(),
  args: schemas.json,
  missed: z.enum(['skip', 'run']),
  graceMs: z.number().nullable(),
  owner: z.string(),
  createdAt: z.string(),
  nextAt: z.string().nullable(),
});
export const shown = schedule.extend({
  notes: z.array(z.string()),
  next: z.array(due),
  firings: z.array(firing),
});

export function told(row: ScheduleRow): z.infer<typeof schedule> {
  const { name, timing: when, zone, fn, args, missed, owner } = row;
  const times = { createdAt: row.createdAt.toISOString(), nextAt: row.nextDueAt?.toISOString() ?? null };
  const graceMs = missed === 'run' ? row.graceMs : null;
  return { name, state: stateOf(row), when, zone, fn, args, missed, graceMs, owner, ...times };
}

function stateOf({ paused, nextDueAt }: ScheduleRow) {
  if (paused) return 'paused';
  return nextDueAt === null ? 'done' : 'active';
}

export const toldFiring = ({ dueAt, state, job, reason }: FiringRow): z.infer<typeof firing> => {
  return { dueAt: dueAt.toISOString(), state, job, reason };
};

export async function showing(room: Room, row: ScheduleRow, count = SHOWN, firings = FIRINGS) {
  const next = row.nextDueAt === null ? [] : upcoming(row, count);
  const before = await listFirings(room.db, row.id, firings);
  return { ...told(row), notes: whenOf(row).notes, next, firings: before.map(toldFiring) };
}

export async function known(room: Room, wanted: string): Promise<ScheduleRow> {
  const row = await getSchedule(room.db, wanted);
  if (row) return row;
  throw new InputError('unknown_schedule', `no schedule is called "${wanted}"; mega schedule list shows all`);
}
