import { z } from 'zod';
import { check } from '../../lib/messages.ts';
import { checkScheduled } from '../schedules/scheduled.ts';
import { requireNext, whenOf } from '../schedules/times.ts';
import { addMade } from '../store/firings.ts';
import { removeSchedule, setPaused } from '../store/schedules.ts';
import { type Fn, fn, OPERATOR } from './function.ts';
import { known, name, schedule, showing, shown, told } from './schedule-answers.ts';

/** See schedules.ts. */
export const scheduleChanges = (all: () => ReadonlyMap<string, Fn>): Fn[] => [
  fn({
    name: 'del_schedule',
    help: 'Removes a schedule. Jobs that it made stay, and go on.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name }),
    output: z.object({ name: z.string() }),
    handler: async (room, input) => {
      const { id } = await known(room, input.name);
      await room.db.transaction((tx) => removeSchedule(tx, id));
      return { name: input.name };
    },
  }),
  fn({
    name: 'pause_schedule',
    help: 'A schedule fires no more until it is resumed. Jobs that it made go on.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name }),
    output: schedule,
    handler: async (room, input) => {
      const { id } = await known(room, input.name);
      await setPaused(room.db, id, true, null);
      return told(await known(room, input.name));
    },
  }),
  fn({
    name: 'resume_schedule',
    help: 'A paused schedule fires again, from its next time on; those that passed meanwhile are not made up for.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name }),
    output: shown,
    handler: async (room, input) => {
      const row = await known(room, input.name);
      if (row.paused) await setPaused(room.db, row.id, false, requireNext(whenOf(row), row.now));
      return showing(room, await known(room, input.name));
    },
  }),
  fn({
    name: 'run_schedule_now',
    help: "Makes a schedule's job now, in the name and by the rights of the caller; its times stay.",
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name }),
    output: z.object({ job: z.string() }),
    handler: async (room, input, caller) => {
      const row = await known(room, input.name);
      const { input: schema, handler } = checkScheduled(all(), row.fn, row.args, caller);
      const { job } = z
        .object({ job: z.string() })
        .parse(await handler(room, check(schema, row.args), caller));
      await room.db.transaction((tx) => addMade(tx, row.id, job, `at once, for ${caller.id}`));
      return { job };
    },
  }),
];
