import { InputError } from '../../lib/errors.ts';
import { type Due, nextTime, nextTimes } from '../../lib/when/next.ts';
import { readWhen, type When } from '../../lib/when/when.ts';
import { isoIn } from '../../lib/when/zone.ts';
import type { ScheduleRow } from '../store/schedules.ts';

/** A time as it is told: the instant, what the clocks of the zone show then, and what they do to it. */
export type Told = { at: string; local: string; note: string | null };

export const toldIn = (zone: string, { at, note }: Due): Told => ({
  at: at.toISOString(),
  local: isoIn(zone, at.getTime()),
  note,
});

type Timing = Pick<ScheduleRow, 'timing' | 'zone' | 'now'>;

export const whenOf = (timing: Timing): When => readWhen(timing.timing, timing);

export function upcoming(timing: Timing, count: number): Told[] {
  return nextTimes(whenOf(timing), count, timing.now).map((due) => toldIn(timing.zone, due));
}

/** Errors: `bad_when`, for one that is over, or that no calendar has. */
export function requireNext(when: When, now: Date): Date {
  const next = nextTime(when, now);
  if (next) return next;
  const why = when.kind === 'once' ? 'is over' : 'never comes, such as the 30th of February';
  throw new InputError('bad_when', `the time "${when.text}" ${why}: choose another`);
}
