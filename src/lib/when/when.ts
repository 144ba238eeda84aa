import { InputError } from '../errors.ts';
import { checkCron } from './cron.ts';
import { dateOf, firstInstantOf, hourAndMinute, instantsOf, isoIn, readZone, wallOf } from './zone.ts';

/**
 * When something is to be done, read from what people write:
 *
 *     2026-12-01 02:00 Asia/Shanghai    once, as the clocks there show it
 *     2026-12-01T02:00:00+08:00         once, at this instant
 *     in 2h, in 1d 12h                  once, from now on
 *     0 2 * * mon-fri                   a cron expression
 *     day 02:00                         every day
 *     week mon,thu 02:00                on these days of the week
 *     month 1 02:00, month last 02:00   on this day of the month
 *
 * A time zone may follow each; otherwise it is that of `where`.
 */
export type When = {
  /** What `readWhen` reads as the same again, whatever the time is then. */
  text: string;
  zone: string;
  /** What is worth knowing before it is saved. */
  notes: string[];
} & ({ kind: 'once'; at: Date } | { kind: 'again'; pattern: string });

export type Where = {
  /** Of texts that name none. */
  zone: string;
  now: Date;
  /** It was asked for: a text that names another is refused. */
  firm?: boolean;
};

const DATE = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?\s*(Z|[+-]\d{2}:?\d{2})?$/i;
const TIME = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FEW_DAYS = 28;
const MAX_TEXT = 200;

/** Errors: `bad_when`, `bad_zone`. */
export function readWhen(given: string, where: Where): When {
  const text = given.trim().replace(/\s+/g, ' ');
  if (text === '' || text.length > MAX_TEXT) throw wrong(given, 'it is empty or too long');
  const words = text.split(' ');
  const first = words[0]!.toLowerCase();
  if (first === 'in') return readIn(words.slice(1), where);
  if (/^\d{4}-/.test(first)) return readDate(text, where);
  if (first === 'day' || first === 'week' || first === 'month') return readEvery(words, where);
  return readCron(words, where);
}

function readIn(words: string[], where: Where): When {
  const parts = words.map((word) => /^(\d{1,5})([smhd])$/i.exec(word));
  if (parts.length === 0 || parts.includes(null))
    throw wrong(`in ${words.join(' ')}`, 'write "in" and a time such as 30m, 2h, or 1d 12h');
  const ms = parts.reduce((sum, part) => sum + Number(part![1]) * UNIT_MS[part![2]!.toLowerCase()]!, 0);
  return once(readZone(where.zone), where.now.getTime() + ms, []);
}

function readDate(text: string, where: Where): When {
  const [, written, named] = /^(.*?)(?: ([A-Za-z_]{2,}\S*))?$/.exec(text)!;
  const found = DATE.exec(written!);
  if (!found) throw wrong(text, 'write it as 2026-12-01 02:00 Asia/Shanghai, or 2026-12-01T02:00:00+08:00');
  const [, date, time, seconds = ':00', offset] = found;
  const zone = zoneOf(named, where);
  const wall = Date.parse(`${date}T${time}${seconds}Z`);
  // Date.parse takes the 30th of February for the 2nd of March.
  if (Number.isNaN(wall) || !new Date(wall).toISOString().startsWith(date!))
    throw wrong(text, 'there is no such day or time');
  if (offset === undefined) return onceByTheClock(zone, wall);
  return once(
    zone,
    Date.parse(`${date}T${time}${seconds}${offset.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`),
    [],
  );
}

function onceByTheClock(zone: string, wall: number): When {
  const instants = instantsOf(zone, wall);
  const at = firstInstantOf(zone, wall);
  const time = `${hourAndMinute(wall)} on ${dateOf(wall)}`;
  if (instants.length === 0)
    return once(zone, at, [
      `${time} does not exist in ${zone}, where the clocks are put forward: it is done at ${hourAndMinute(wallOf(zone, at))}`,
    ]);
  if (instants.length === 1) return once(zone, at, []);
  const second = isoIn(zone, instants[1]!);
  return once(zone, at, [
    `${time} comes twice in ${zone}, where the clocks are put back: it is done the first time; the second is ${second}`,
  ]);
}

function once(zone: string, instant: number, notes: string[]): When {
  return { kind: 'once', text: isoIn(zone, instant), zone, notes, at: new Date(instant) };
}

function readEvery(words: string[], where: Where): When {
  const kind = words[0]!.toLowerCase() as keyof typeof EVERY;
  const size = kind === 'day' ? 2 : 3;
  const [, hour, minute] = TIME.exec(words[size - 1] ?? '') ?? [];
  const pattern = EVERY[kind](words[1] ?? '');
  if (words.length > size + 1 || hour === undefined || pattern === undefined)
    throw wrong(
      words.join(' '),
      'write it as "day 02:00", "week mon 02:00", "month 1 02:00" or "month last 02:00"',
    );
  const zone = zoneOf(words[size], where);
  const text = words.slice(0, size).join(' ').toLowerCase();
  const full = `${Number(minute)} ${Number(hour)} ${pattern}`;
  return { kind: 'again', text, zone, notes: kind === 'month' ? shortMonths(words[1]!) : [], pattern: full };
}

/** Day of the month, month and day of the week as cron writes them. */
const EVERY = {
  day: () => '* * *',
  week: (days: string) => {
    const numbers = days
      .toLowerCase()
      .split(',')
      .map((day) => DAYS.indexOf(day.slice(0, 3)));
    return numbers.includes(-1) ? undefined : `* * ${numbers.join(',')}`;
  },
  month: (day: string) => {
    if (day.toLowerCase() === 'last') return 'L * *';
    const number = /^\d{1,2}$/.test(day) ? Number(day) : 0;
    return number >= 1 && number <= 31 ? `${number} * *` : undefined;
  },
};

function shortMonths(day: string): string[] {
  if (!(Number(day) > FEW_DAYS)) return [];
  return [`months without a day ${day} are left out; "month last" is the last day of each`];
}

function readCron(words: string[], where: Where): When {
  const size = words[0]!.startsWith('@') ? 1 : 5;
  const named = words.length === size + 1 && /^[a-z]/i.test(words[size]!) ? words[size] : undefined;
  const pattern = (named === undefined ? words : words.slice(0, size)).join(' ');
  if (size === 5 && words.length < size) throw wrong(words.join(' '), FORMS);
  checkCron(pattern);
  return { kind: 'again', text: pattern, zone: zoneOf(named, where), notes: [], pattern };
}

function zoneOf(named: string | undefined, { zone, firm }: Where): string {
  const wanted = readZone(zone);
  if (named === undefined) return wanted;
  const found = readZone(named);
  if (firm && found !== wanted)
    throw new InputError(
      'bad_zone',
      `it names the time zone ${found}, and ${wanted} was asked for: give one`,
    );
  return found;
}

const FORMS =
  "write it as '2026-12-01 02:00 Asia/Shanghai', 'in 2h', 'day 02:00', 'week mon 02:00', 'month 1 02:00', or a cron expression such as '0 2 * * mon-fri'";

const wrong = (text: string, why: string) => new InputError('bad_when', `"${text}" is no time: ${why}`);
