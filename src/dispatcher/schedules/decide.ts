import { describe } from '../../lib/errors.ts';
import { formatDuration } from '../../lib/utils.ts';
import { countTimes, lastTime, nextTime } from '../../lib/when/next.ts';
import { readWhen, type When } from '../../lib/when/when.ts';
import { isoIn } from '../../lib/when/zone.ts';
import type { FiringRow, NewFiring } from '../store/firings.ts';
import type { ScheduleRow } from '../store/schedules.ts';

/**
 * What becomes of the times of a schedule that have come. Pure.
 *
 * - A time is fired at most once, however many dispatchers there are and whenever they look.
 * - Of several that have come, only the latest may be fired: the others are missed.
 * - One that is not more than a minute late is on time. A later one is missed, unless the schedule's rule is `run` and
 *   it is not later than the grace: then it is made up for.
 * - While its job before has not ended, it is skipped.
 * - Every time that is not fired is told, with the reason.
 */
export const ON_TIME_MS = 60_000;
/** So long a job that cannot be made is tried again. */
export const PATIENCE_MS = 600_000;
/** Each costs a tenth of a millisecond, and there may be many schedules. */
const MOST_COUNTED = 100;

export type Decision = { firings: NewFiring[]; next: Date | null };
type Schedule = Pick<ScheduleRow, 'timing' | 'zone' | 'missed' | 'graceMs' | 'now'> & { nextDueAt: Date };

/** `running`: what of this schedule has not ended. */
export function decide(schedule: Schedule, running: string | undefined): Decision {
  const { now, nextDueAt } = schedule;
  let when: When;
  try {
    when = readWhen(schedule.timing, schedule);
  } catch (error) {
    // Only a Node.js that knows the zone no more comes here; one that does must not stop for it.
    return { firings: [{ dueAt: nextDueAt, state: 'failed', reason: describe(error) }], next: null };
  }
  const last = latest(when, nextDueAt, now);
  const earlier = last > nextDueAt ? 1 + countTimes(when, nextDueAt, last, MOST_COUNTED) : 0;
  const next = nextTime(when, now);
  const lateMs = now.getTime() - last.getTime();
  if (lateMs > allowedMs(schedule)) return { firings: [missed(when, last, earlier, nextDueAt)], next };
  const before =
    earlier === 0 ? [] : [missed(when, earlierThan(when, last, nextDueAt), earlier - 1, nextDueAt)];
  return { firings: [...before, latestOf(last, lateMs, running)], next };
}

const allowedMs = ({ missed, graceMs }: Pick<Schedule, 'missed' | 'graceMs'>) =>
  missed === 'run' ? Math.max(graceMs, ON_TIME_MS) : ON_TIME_MS;

/** Whether it makes no sense any more to make its job: dispatchers died, or could not make it all the time since. */
export function isTooLate(
  { dueAt, firedAt }: Pick<FiringRow, 'dueAt' | 'firedAt'>,
  schedule: Pick<Schedule, 'missed' | 'graceMs' | 'now'>,
): boolean {
  const patience = firedAt.getTime() + PATIENCE_MS;
  return schedule.now.getTime() > Math.max(patience, dueAt.getTime() + allowedMs(schedule));
}

function latestOf(dueAt: Date, lateMs: number, running: string | undefined): NewFiring {
  if (running !== undefined) return { dueAt, state: 'skipped', reason: `${running} has not ended` };
  const reason = lateMs > ON_TIME_MS ? `made up for, ${formatDuration(lateMs)} late` : null;
  return { dueAt, state: 'due', reason };
}

const WHY = 'nobody could fire it in time: no dispatcher ran, or the fleet was frozen';

function missed(when: When, dueAt: Date, before: number, first: Date): NewFiring {
  if (before === 0) return { dueAt, state: 'missed', reason: WHY };
  const count = before >= MOST_COUNTED ? `more than ${MOST_COUNTED}` : String(before);
  const since = isoIn(when.zone, first.getTime());
  return { dueAt, state: 'missed', reason: `${WHY}; and so were ${count} before it, since ${since}` };
}

/** What was saved as the next time has come, whatever the zone's clocks have been declared to show since. */
function latest(when: When, nextDueAt: Date, now: Date): Date {
  const found = lastTime(when, now);
  return found !== null && found > nextDueAt ? found : nextDueAt;
}

const earlierThan = (when: When, last: Date, first: Date) =>
  latest(when, first, new Date(last.getTime() - 1));
