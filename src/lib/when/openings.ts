import { isOpen, isOpenByClock, nextChange, type Window } from './window.ts';
import { dateOf, hourAndMinute, nextShift, type Shift } from './zone.ts';

/** `opens` is null for the one that is open already, `closes` for one that never does. */
export type Opening = { opens: Date | null; closes: Date | null };

const MINUTE_MS = 60_000;
const SOON_MS = 35 * 86_400_000;

/** The next times at which a window is open, with the one that is now. */
export function openings(window: Window, count: number, after: Date): Opening[] {
  const found: Opening[] = [];
  let opens: Date | null = isOpen(window, after) ? null : nextChange(window, after);
  if (opens === null && !isOpen(window, after)) return [];
  while (found.length < count) {
    const closes = nextChange(window, opens ?? after);
    found.push({ opens, closes });
    if (!closes) break;
    opens = nextChange(window, closes);
    if (!opens) break;
  }
  return found;
}

/** What clocks that are put forward or back do to a window in the next weeks. */
export function shiftNotes(window: Window, after: Date): string[] {
  const until = after.getTime() + SOON_MS;
  const notes: string[] = [];
  let shift = nextShift(window.zone, after.getTime(), until);
  while (shift) {
    const note = noteOn(window, shift);
    if (note) notes.push(note);
    shift = nextShift(window.zone, shift.at, until);
  }
  return notes;
}

function noteOn(window: Window, { from, to }: Shift): string | undefined {
  const [start, end] = [Math.min(from, to), Math.max(from, to)];
  if (!isOpenBetween(window, start, end)) return undefined;
  const hours = `${hourAndMinute(start)} to ${hourAndMinute(end)}`;
  if (to > from)
    return `${dateOf(from)}: there is no ${hours}, as the clocks are put forward; that part is left out`;
  return `${dateOf(to)}: ${hours} comes twice, as the clocks are put back; that part is open twice`;
}

function isOpenBetween(window: Window, start: number, end: number): boolean {
  for (let wall = start; wall < end; wall += MINUTE_MS) if (isOpenByClock(window, wall)) return true;
  return false;
}
