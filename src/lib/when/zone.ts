import { InputError } from '../errors.ts';

/**
 * What the clocks of a time zone show, by the IANA data that Node.js brings. A `wall` time is what such a clock shows,
 * as the milliseconds since 1970 of that date and time in UTC; an `instant` is a moment in ms since 1970.
 */
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Region and city. An abbreviation may mean several: CST is China's and Chicago's. */
const NAME = /^(UTC|[A-Za-z_]+(\/[A-Za-z0-9_+-]+){1,2})$/i;

const clocks = new Map<string, Intl.DateTimeFormat>();

/** The zone's name as IANA writes it. Error: `bad_zone`, with what was meant perhaps. */
export function readZone(text: string): string {
  try {
    if (NAME.test(text)) return clockOf(text).resolvedOptions().timeZone;
  } catch {
    // It is told below, as what does not look like a zone is.
  }
  throw new InputError('bad_zone', `"${text}" is no time zone: ${suggestion(text)}`);
}

/** The zone of this machine. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function suggestion(text: string): string {
  const city = (text.split('/').at(-1) ?? '').toLowerCase().replaceAll(' ', '_');
  const near = Intl.supportedValuesOf('timeZone').filter(
    (one) => one.toLowerCase().split('/').at(-1) === city,
  );
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  return 'give region and city, such as Asia/Shanghai or Europe/Berlin, or UTC';
}

/** How far the clocks there are ahead of UTC at this instant, in ms. */
export function offsetAt(zone: string, instant: number): number {
  return wallOf(zone, instant) - Math.floor(instant / 1000) * 1000;
}

/** What the clocks there show at this instant, to the second. */
export function wallOf(zone: string, instant: number): number {
  const shown: Record<string, number> = {};
  for (const { type, value } of clockOf(zone).formatToParts(instant)) shown[type] = Number(value);
  const { year, month, day, hour, minute, second } = shown;
  return Date.UTC(year!, month! - 1, day, hour, minute, second);
}

/** When the clocks there show this: once, twice (an hour comes again in autumn), or never (one is left out in spring). */
export function instantsOf(zone: string, wall: number): number[] {
  const offsets = new Set([offsetAt(zone, wall - DAY_MS), offsetAt(zone, wall + DAY_MS)]);
  const possible = [...offsets].map((offset) => wall - offset).sort((a, b) => a - b);
  return possible.filter((instant) => wallOf(zone, instant) === wall);
}

/** The first instant at which the clocks there show this; when they never do, the first after the gap. */
export function firstInstantOf(zone: string, wall: number): number {
  const [first] = instantsOf(zone, wall);
  return first ?? nextShift(zone, wall - DAY_MS, wall + DAY_MS)?.at ?? wall;
}

/** Clocks are put forward or back at `at`: they would show `from` and show `to`. */
export type Shift = { at: number; from: number; to: number };

/** The next time that the clocks there are put forward or back, later than `after` and not later than `until`. */
export function nextShift(zone: string, after: number, until: number): Shift | undefined {
  let before = Math.floor(after / 1000) * 1000;
  const offset = offsetAt(zone, before);
  while (before < until) {
    const next = Math.min(until, before + DAY_MS);
    if (offsetAt(zone, next) !== offset) return shiftBetween(zone, before, next, offset);
    before = next;
  }
  return undefined;
}

/** Halves the span until a second is left. */
function shiftBetween(zone: string, before: number, next: number, offset: number): Shift {
  let [low, high] = [before, next];
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000;
    if (offsetAt(zone, middle) === offset) low = middle;
    else high = middle;
  }
  return { at: high, from: high + offset, to: wallOf(zone, high) };
}

/** `+08:00`, `-03:30`, `+00:00`. */
export function offsetText(offset: number): string {
  const minutes = Math.abs(offset) / MINUTE_MS;
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** `2026-12-01T02:00:00+08:00`: as the clocks there show it, and which instant that is. */
export function isoIn(zone: string, instant: number): string {
  const text = new Date(wallOf(zone, instant)).toISOString().slice(0, 19);
  return `${text}${offsetText(offsetAt(zone, instant))}`;
}

/** `02:00` of a wall time. */
export const hourAndMinute = (wall: number) => new Date(wall).toISOString().slice(11, 16);

/** `Sun 2027-03-28` of a wall time. */
export function dateOf(wall: number): string {
  const day = new Date(wall).toUTCString().slice(0, 3);
  return `${day} ${new Date(wall).toISOString().slice(0, 10)}`;
}

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known) return known;
  const fields = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const time = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const;
  const made = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...fields, ...time });
  clocks.set(zone, made);
  return made;
}
