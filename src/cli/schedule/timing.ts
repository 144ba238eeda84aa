import { InputError } from '../../lib/errors.ts';
import { nextTimes } from '../../lib/when/next.ts';
import { readWhen, type When } from '../../lib/when/when.ts';
import { isoIn, ownZone } from '../../lib/when/zone.ts';
import type { DueTime } from '../answers.ts';
import { table } from '../table.ts';
import { span, wrap } from '../text.ts';
import type { Output } from '../world.ts';

export type TimingOptions = { at?: string; cron?: string; every?: string; zone?: string };

export const ZONE_HELP = "the time zone, such as Asia/Shanghai (default: this machine's)";
const SHOWN = 5;

/** Reads the one of `--at`, `--cron` and `--every` that was given. Errors: `bad_argument`, `bad_when`, `bad_zone`. */
export function timingOf(options: TimingOptions, now: Date): When {
  const { at, cron, every } = options;
  const given = [at, cron, every].filter((one) => one !== undefined);
  if (given.length !== 1)
    throw new InputError('bad_argument', 'say when, by one of --at, --cron and --every');
  const when = readWhen(given[0]!, whereOf(options, now));
  if (at !== undefined && when.kind === 'again')
    throw new InputError('bad_when', `"${at}" comes again and again: give it with --every or --cron`);
  if (at === undefined && when.kind === 'once')
    throw new InputError('bad_when', `"${given[0]}" comes once: give it with --at`);
  return when;
}

export function whereOf({ zone }: { zone?: string }, now: Date) {
  return { zone: zone ?? ownZone(), now, firm: zone !== undefined };
}

/** The next times, as they are to be seen before anything is saved. Error: `bad_when`, when there is none. */
export function upcoming(when: When, now: Date): DueTime[] {
  const next = nextTimes(when, SHOWN, now);
  if (next.length === 0) throw new InputError('bad_when', `the time "${when.text}" never comes, or is over`);
  return next.map(({ at, note }) => {
    return { at: at.toISOString(), local: isoIn(when.zone, at.getTime()), note };
  });
}

/** Says which zone it is, and who says so. */
export function zoneLine(when: When, options: TimingOptions): string {
  const own = options.zone === undefined && when.zone === ownZone();
  return `Times are those of ${when.zone}${own ? ", this machine's time zone; --zone chooses another" : ''}.\n`;
}

export function writeTimes(out: Output, next: DueTime[], notes: string[]): void {
  const columns = [
    { title: 'NEXT', cell: (one: DueTime) => readable(one.local) },
    { title: 'UTC', cell: (one: DueTime) => one.at.slice(0, 16).replace('T', ' ') },
    { title: 'IN', cell: (one: DueTime) => span(Date.parse(one.at) - Date.now()), right: true },
  ];
  out.write(table(next, columns));
  const told = next.filter((one) => one.note !== null).map((one) => `${readable(one.local)}: ${one.note}`);
  for (const note of [...notes, ...told]) out.write(`${wrap(`Note: ${note}`, 80)}\n`);
}

/** `Tue 2026-12-01 02:00 +08:00`; seconds where there are some. */
export function readable(local: string): string {
  const [, date, time, seconds, offset] = /^(\S+)T(\d\d:\d\d)(:\d\d)(\S+)$/.exec(local) ?? [];
  if (date === undefined) return local;
  const day = new Date(`${date}T00:00:00Z`).toUTCString().slice(0, 3);
  return `${day} ${date} ${time}${seconds === ':00' ? '' : seconds} ${offset}`;
}
