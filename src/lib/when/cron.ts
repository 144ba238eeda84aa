import { Cron } from 'croner';
import { InputError } from '../errors.ts';

/** The one owner of croner. */
const MODE = '5-part' as const;

const HOW =
  "five fields are wanted: minute, hour, day of the month, month, day of the week, such as '0 2 * * mon-fri' (or @hourly, @daily, @weekly, @monthly)";

/** Errors: `bad_when`. */
export function checkCron(pattern: string): void {
  try {
    cron(pattern, 'UTC');
  } catch (cause) {
    const why = (cause as Error).message.replace(/^CronPattern: /, '').replace(/\.$/, '');
    throw new InputError('bad_when', `"${pattern}" is no cron expression (${why}); ${HOW}`);
  }
}

/** The next times later than `after`, at most so many, and earlier than `end`. */
export function cronTimes(pattern: string, zone: string, count: number, after: Date, end?: Date): Date[] {
  return cron(pattern, zone, end).nextRuns(count, after);
}

/** The latest time that is not later than `until`. */
export function lastCronTime(pattern: string, zone: string, until: Date): Date | null {
  const second = Math.floor(until.getTime() / 1000) * 1000;
  return cron(pattern, zone).previousRuns(1, new Date(second + 1000))[0] ?? null;
}

/**
 * Whether it means certain times of the day (`30 2 * * *`, `0 2,14 * * *`), not every so often (an hour or minute with
 * `*` or `/`). croner makes a difference between them when clocks are put forward or back: see next.ts.
 */
export function isFixedTime(pattern: string): boolean {
  if (pattern.startsWith('@')) return pattern.toLowerCase() !== '@hourly';
  return !/[*?/]/.test(pattern.trim().split(/\s+/).slice(0, 2).join(' '));
}

function cron(pattern: string, timezone: string, stopAt?: Date): Cron {
  const how = { timezone, mode: MODE, fixedTimeRule: 'no-wildcard', paused: true } as const;
  return new Cron(pattern, stopAt ? { ...how, stopAt } : how);
}
