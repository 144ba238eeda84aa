import { cronTimes, isFixedTime, lastCronTime } from './cron.ts';
import type { When } from './when.ts';
import { hourAndMinute, instantsOf, nextShift, type Shift, wallOf } from './zone.ts';

/**
 * The next times of a `When`, and what clocks that are put forward or back do to them:
 *
 * - Times of the day (`30 2 * * *`, `day 02:30`) are kept: one that is left out in spring is made up for at the first
 *   moment after the gap, and one that comes twice in autumn counts the first time only.
 * - What is done every so often (`0 * * * *`) goes by what clocks show: nothing in the gap, and both times of an hour
 *   that comes again.
 */
export type Due = { at: Date; note: string | null };

const SECOND_MS = 1000;

/** At most `count` of them, later than `after`; fewer when there are no more. */
export function nextTimes(when: When, count: number, after: Date): Due[] {
  if (when.kind === 'once') return when.at > after ? [{ at: when.at, note: null }] : [];
  return cronTimes(when.pattern, when.zone, count, after).map((at) => ({ at, note: noteOn(when, at) }));
}

/** The next of them alone, without a note. */
export function nextTime(when: When, after: Date): Date | null {
  if (when.kind === 'once') return when.at > after ? when.at : null;
  return cronTimes(when.pattern, when.zone, 1, after)[0] ?? null;
}

/** The latest of them that is not later than `until`. */
export function lastTime(when: When, until: Date): Date | null {
  if (when.kind === 'once') return when.at <= until ? when.at : null;
  return lastCronTime(when.pattern, when.zone, until);
}

/** How many there are later than `after` and before `end`; no more than `most` are counted. */
export function countTimes(when: When, after: Date, end: Date, most: number): number {
  if (when.kind === 'once') return when.at > after && when.at < end ? 1 : 0;
  return cronTimes(when.pattern, when.zone, most, after, end).length;
}

function noteOn(when: When & { kind: 'again' }, at: Date): string | null {
  const { zone, pattern } = when;
  const instant = at.getTime();
  const shift = nextShift(zone, instant - SECOND_MS, instant);
  if (shift && shift.to > shift.from && isFixedTime(pattern)) return noteOnGap(pattern, shift);
  const instants = instantsOf(zone, wallOf(zone, instant));
  if (instants.length < 2) return null;
  const time = hourAndMinute(wallOf(zone, instant));
  const which = instants[0] === instant ? 'first' : 'second';
  const rule = isFixedTime(pattern)
    ? 'it is done the first time only'
    : `it is done both times, and this is the ${which}`;
  return `${time} comes twice, as the clocks are put back: ${rule}`;
}

/** What the clocks would have shown between the two is looked up as if they were those of UTC. */
function noteOnGap(pattern: string, { from, to }: Shift): string | null {
  const [missing] = cronTimes(pattern, 'UTC', 1, new Date(from - SECOND_MS));
  if (!missing || missing.getTime() >= to) return null;
  const clocks = `the clocks are put forward from ${hourAndMinute(from)} to ${hourAndMinute(to)}`;
  return `${hourAndMinute(missing.getTime())} does not exist, as ${clocks}: it is done at ${hourAndMinute(to)}`;
}
