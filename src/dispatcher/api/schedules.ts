import { z } from 'zod';
import { InputError, MegaError } from '../../lib/errors.ts';
import { schemas } from '../../lib/messages.ts';
import { uuidv7 } from '../../lib/utils.ts';
import { readWhen } from '../../lib/when/when.ts';
import { checkScheduled } from '../schedules/scheduled.ts';
import { requireNext } from '../schedules/times.ts';
import { lastFirings } from '../store/firings.ts';
import { addSchedule, countSchedules, listSchedules } from '../store/schedules.ts';
import { databaseNow } from '../store/server.ts';
import { type Fn, fn, OPERATOR, VIEWER } from './function.ts';
import {
  firing,
  known,
  name,
  SHOWN,
  schedule,
  showing,
  shown,
  told,
  toldFiring,
} from './schedule-answers.ts';
import { scheduleChanges } from './schedule-changes.ts';

const DAY_MS = 86_400_000;
const MOST = 1_000;

const newSchedule = z.object({
  name,
  when: z.string().min(1).max(200),
  zone: z.string().max(64).default('UTC'),
  fn: z.string().max(64),
  args: schemas.json,
  missed: z.enum(['skip', 'run']).default('skip'),
  graceMs: z
    .int()
    .min(60_000)
    .max(30 * DAY_MS)
    .default(DAY_MS),
});

/** `all`: every function of the dispatcher, of which a schedule may call those that make a job. */
export const scheduleFunctions = (all: () => ReadonlyMap<string, Fn>): Fn[] => [
  fn({
    name: 'add_schedule',
    help: 'Saves a job to be made later, or again and again: at "when" (a date and time, "in 2h", a cron expression, "day 02:00", "week mon 02:00" or "month 1 02:00", with a time zone after it or in "zone") the function "fn" is called with "args", in the name and by the rights of who saves it. Hosts are chosen when it fires. A time at which nobody could fire is left out ("missed": "skip") or made up for unless it is later than "graceMs" ("run").',
    callers: OPERATOR,
    effect: 'changes',
    input: newSchedule,
    output: shown,
    handler: async (room, input, caller) => {
      checkScheduled(all(), input.fn, input.args, caller);
      const now = await databaseNow(room.db);
      const when = readWhen(input.when, { zone: input.zone, now });
      const nextDueAt = requireNext(when, now);
      if ((await countSchedules(room.db)) >= MOST)
        throw new InputError('bad_argument', `there are ${MOST} schedules already: mega schedule remove`);
      const { text: timing, zone } = when;
      const about = { id: uuidv7(), timing, zone, nextDueAt, owner: caller.id };
      const saved = { ...input, ...about, callKey: `${caller.id}:${caller.key}` };
      if (!(await addSchedule(room.db, saved))) throw taken(input.name);
      return { ...(await showing(room, await known(room, input.name))), notes: when.notes };
    },
  }),
  fn({
    name: 'get_schedule',
    help: 'One schedule, its next times, and what became of the latest ones.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      name,
      next: z.int().min(1).max(100).default(SHOWN),
      firings: z.int().min(0).max(500).default(20),
    }),
    output: shown,
    handler: async (room, input) => showing(room, await known(room, input.name), input.next, input.firings),
  }),
  fn({
    name: 'get_all_schedule',
    help: 'All schedules, each with what became of its latest time.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({}),
    output: z.array(schedule.extend({ last: firing.nullable() })),
    handler: async (room) => {
      const last = await lastFirings(room.db);
      return (await listSchedules(room.db)).map((row) => {
        const found = last.get(row.id);
        return { ...told(row), last: found ? toldFiring(found) : null };
      });
    },
  }),
  ...scheduleChanges(all),
];

const taken = (wanted: string) =>
  new MegaError(
    'name_taken',
    `there is a schedule "${wanted}" already: choose another name, or remove it (mega schedule remove ${wanted})`,
  );
