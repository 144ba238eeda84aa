import { InputError } from '../errors.ts';
import { instantsOf, nextShift, readZone, wallOf } from './zone.ts';

/**
 * A maintenance window, such as `mon-fri 22:00-04:00, sat 10:00-18:00 Asia/Shanghai`: when work may begin. It goes by what
 * clocks there show, and a range over midnight belongs to the day on which it begins. A range without days takes those
 * of the range before it, the first one every day.
 *
 * So in spring what lies in the gap is left out, and in autumn what comes twice is open twice.
 */
export type Window = { text: string; zone: string; ranges: Range[] };
/** Minutes of the day; `to` may be 24:00, and lies on the next day when it is not after `from`. Days: 0 is Sunday. */
type Range = { days: Set<number>; from: number; to: number };

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const RANGE = /^(\d{1,2}):([0-5]\d)-(\d{1,2}):([0-5]\d)$/;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const DAY_MINUTES = 1440;
const MAX_TEXT = 200;
/** How far to look, first near; in four weeks all that can happen to a week has happened. */
const AHEAD_DAYS = [2, 9, 28];

/** A zone at the end of the text is the window's, otherwise it is `zone`. Errors: `bad_window`, `bad_zone`. */
export function readWindow(given: string, zone: string): Window {
  if (given.length > MAX_TEXT) throw wrong(given, `it is longer than ${MAX_TEXT} characters`);
  const words = given
    .trim()
    .replace(/\s*([,-])\s*/g, '$1')
    .split(/\s+/);
  const named = words.length > 1 && /^[A-Za-z_]+(\/\S+)?$/.test(words.at(-1)!) ? words.pop() : undefined;
  const pieces = words.join(' ').toLowerCase().split(',');
  const ranges: Range[] = [];
  let days: number[] = [];
  for (const piece of pieces) {
    const range = readPiece(piece, given);
    days = [...days, ...range.days];
    if (!range.times) continue;
    const before = ranges.at(-1)?.days ?? EVERY_DAY;
    ranges.push({ days: new Set(days.length > 0 ? days : before), ...range.times });
    days = [];
  }
  if (days.length > 0 || ranges.length === 0) throw wrong(given, 'a day needs its hours');
  return { text: pieces.join(', '), zone: readZone(named ?? zone), ranges };
}

/** `mon-fri 22:00-04:00`, `sun` (of which the hours follow), or `22:00-04:00`. */
function readPiece(piece: string, given: string) {
  const words = piece.trim().split(' ');
  const times = readTimes(words.at(-1)!, given);
  if (times) words.pop();
  if (words.length > 1) throw wrong(given, `"${piece}" is more than days and hours`);
  return { days: words.length === 0 ? [] : readDays(words[0]!, given), times };
}

function readTimes(word: string, given: string): Omit<Range, 'days'> | undefined {
  const [, ...found] = RANGE.exec(word) ?? [];
  if (found.length === 0) return undefined;
  const [fromHour, fromMinute, toHour, toMinute] = found.map(Number);
  const [from, to] = [fromHour! * 60 + fromMinute!, toHour! * 60 + toMinute!];
  if (from >= DAY_MINUTES || to > DAY_MINUTES) throw wrong(given, `"${word}" is no time of a day`);
  if (from === to) throw wrong(given, `"${word}" is no time at all; the whole day is 00:00-24:00`);
  return { from, to };
}

function readDays(word: string, given: string): number[] {
  if (word === 'daily') return EVERY_DAY;
  const [first, last, ...more] = word.split('-').map((name) => DAYS.indexOf(name.slice(0, 3)));
  if (more.length > 0 || first === -1 || last === -1)
    throw wrong(given, `"${word}" is no day such as mon or mon-fri`);
  const count = (((last ?? first!) - first! + 7) % 7) + 1;
  return Array.from({ length: count }, (_, i) => (first! + i) % 7);
}

export function isOpen(window: Window, at: Date): boolean {
  return isOpenByClock(window, wallOf(window.zone, at.getTime()));
}

/** By what clocks show; see zone.ts. */
export function isOpenByClock({ ranges }: Window, wall: number): boolean {
  const minute = Math.floor((wall % DAY_MS) / MINUTE_MS);
  const day = new Date(wall).getUTCDay();
  const yesterday = (day + 6) % 7;
  return ranges.some(({ days, from, to }) => {
    if (from < to) return days.has(day) && minute >= from && minute < to;
    return (days.has(day) && minute >= from) || (days.has(yesterday) && minute < to);
  });
}

/** When it opens or closes next; null for one that is always open. */
export function nextChange(window: Window, after: Date): Date | null {
  const now = isOpen(window, after);
  for (const days of AHEAD_DAYS) {
    const found = mayChange(window, after.getTime(), days).find((at) => isOpen(window, new Date(at)) !== now);
    if (found !== undefined) return new Date(found);
  }
  return null;
}

/** The instants of these days at which it could open or close: where its ranges begin and end, and where clocks jump. */
function mayChange({ zone, ranges }: Window, after: number, days: number): number[] {
  const today = wallOf(zone, after);
  const midnight = today - (today % DAY_MS);
  const minutes = [...new Set(ranges.flatMap(({ from, to }) => [from, to]))];
  const walls = Array.from({ length: days }, (_, day) =>
    minutes.map((minute) => midnight + day * DAY_MS + minute * MINUTE_MS),
  );
  const instants = walls.flat().flatMap((wall) => instantsOf(zone, wall));
  const shift = nextShift(zone, after, after + days * DAY_MS);
  return [...instants, ...(shift ? [shift.at] : [])].filter((at) => at > after).sort((a, b) => a - b);
}

const wrong = (text: string, why: string) =>
  new InputError(
    'bad_window',
    `"${text}" is no window: ${why}; write it as "mon-fri 22:00-04:00, sat 10:00-18:00 Asia/Shanghai"`,
  );
