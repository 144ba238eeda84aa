import { randomBytes } from 'node:crypto';
import type { Call } from '../../lib/sender.ts';
import type { ShownSchedule } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { callSurely } from '../session.ts';
import { printJson } from '../table.ts';
import type { Room } from '../world.ts';
import { timingOf, upcoming, writeTimes, zoneLine } from './timing.ts';

export const AT_HELP =
  "do it later: '2026-12-01 02:00 Asia/Shanghai', 2026-12-01T02:00+08:00, or 'in 2h'; it becomes a schedule";

export type ScheduleOnce = { at?: string; zone?: string; json?: true };

/** Saves a job that is to be made once, under a name that tells when. */
export async function scheduleOnce(
  room: Room,
  call: Call,
  options: ScheduleOnce,
  { fn, args }: { fn: string; args: object },
): Promise<number> {
  const now = new Date();
  const when = timingOf(options, now);
  const next = upcoming(when, now);
  const day = next[0]!.local.slice(0, 16).replaceAll(/[-:]/g, '').replace('T', '-');
  const name = `${fn.replace(/^client_/, '')}-${day}-${randomBytes(2).toString('hex')}`;
  if (!options.json) {
    room.out.write(zoneLine(when, options));
    writeTimes(room.out, next, when.notes);
  }
  const request = { name, when: when.text, zone: when.zone, fn, args };
  const saved = await callSurely<ShownSchedule>(call, 'add_schedule', request);
  if (options.json) printJson(room.out, saved);
  else room.out.write(`Saved as the schedule ${name}; mega schedule remove ${name} takes it back\n`);
  return EXIT.good;
}
