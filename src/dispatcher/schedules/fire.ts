import type { Queryable } from '../../lib/conn.ts';
import { codeOf, describe, MegaError, UnavailableError } from '../../lib/errors.ts';
import { ownOrigin } from '../../lib/sender.ts';
import type { Room } from '../api/function.ts';
import { dispatch } from '../api/registry.ts';
import {
  addFiring,
  claimFirings,
  endFiring,
  type FiringRow,
  forgetFirings,
  hasDueFiring,
  markMade,
  putOff,
} from '../store/firings.ts';
import { jobOfCall } from '../store/jobs.ts';
import {
  getScheduleById,
  lockDueSchedules,
  openJobOf,
  type ScheduleRow,
  setNextDue,
} from '../store/schedules.ts';
import { decide, isTooLate } from './decide.ts';
import { tellOf } from './tell.ts';

/**
 * Fires what is due; all dispatchers do, and none leads.
 *
 * INVARIANTS
 * - That a time has come is written down once, with when the next comes, in one transaction that holds the schedule.
 * - Its job is made after that, by whoever claims the firing, under a key made of the schedule and the time: whoever
 *   makes it again, because a dispatcher died in between, finds the job that is there.
 * - It is made by a call of its owner like any other: what they may do is looked up now, and it stands in the audit.
 */
const AT_ONCE = 50;
const LEASE_MS = 30_000;
const AGAIN_MS = 5_000;
const KEEP_MS = 90 * 86_400_000;
const FORGET_AT_ONCE = 1_000;

export async function fireDue(room: Room): Promise<void> {
  await noteDue(room);
  for (const firing of await claimFirings(room.db, room.id, LEASE_MS, AT_ONCE)) await fire(room, firing);
}

export async function forgetOld(room: Room): Promise<void> {
  await forgetFirings(room.db, KEEP_MS, FORGET_AT_ONCE);
}

async function noteDue({ db, logger }: Room): Promise<void> {
  await db.transaction(async (tx) => {
    for (const schedule of await lockDueSchedules(tx, AT_ONCE)) {
      const { id, name, nextDueAt } = schedule;
      if (!nextDueAt) continue;
      const { firings, next } = decide({ ...schedule, nextDueAt }, await running(tx, id));
      for (const firing of firings) await addFiring(tx, id, firing);
      await tellOf({ db: tx, logger }, name, firings);
      await setNextDue(tx, id, next);
    }
  });
}

/** Whatever came before and has not ended, in words. */
async function running(tx: Queryable, id: string): Promise<string | undefined> {
  const job = await openJobOf(tx, id);
  if (job !== undefined) return `job ${job} of the time before`;
  return (await hasDueFiring(tx, id)) ? 'the time before, whose job is being made,' : undefined;
}

async function fire(room: Room, firing: FiringRow): Promise<void> {
  const schedule = await getScheduleById(room.db, firing.schedule);
  if (!schedule) return; // it was removed meanwhile, with its firings
  const key = keyOf(firing);
  const made = await jobOfCall(room.db, schedule.owner, key);
  if (made !== undefined) return room.db.transaction((tx) => markMade(tx, firing, made));
  if (schedule.paused) return end(room, schedule, firing, 'skipped', 'the schedule was paused');
  if (isTooLate(firing, schedule)) return end(room, schedule, firing, 'missed', whyLate(firing));
  try {
    const job = await makeJob(room, schedule, key);
    await room.db.transaction((tx) => markMade(tx, firing, job));
    room.logger.info({ schedule: schedule.name, due: firing.dueAt.toISOString(), job }, 'a schedule fired');
  } catch (error) {
    if (!isFinal(error)) return later(room, schedule, firing, error);
    await end(room, schedule, firing, 'failed', reasonOf(schedule, error));
  }
}

/** As its owner would call it now; what they may do is looked up anew, and not remembered. */
async function makeJob(room: Room, { name, fn, args, owner }: ScheduleRow, key: string): Promise<string> {
  room.people.forget();
  const call = { v: 1, fn, args, from: ownOrigin(`schedule ${name}`) } as const;
  const answer = await dispatch(room, call, { id: owner, key });
  return (answer as { job: string }).job;
}

const keyOf = ({ schedule, dueAt }: FiringRow) => `schedule ${schedule} ${dueAt.toISOString()}`;

async function later(room: Room, { name }: ScheduleRow, firing: FiringRow, error: unknown): Promise<void> {
  room.logger.warn({ schedule: name, error: describe(error) }, 'a job could not be made; it is tried again');
  await putOff(room.db, firing, AGAIN_MS);
}

async function end(
  { db, logger }: Room,
  { name }: ScheduleRow,
  firing: FiringRow,
  state: 'missed' | 'skipped' | 'failed',
  reason: string,
): Promise<void> {
  await db.transaction(async (tx) => {
    if (await endFiring(tx, firing, state, reason))
      await tellOf({ db: tx, logger }, name, [{ ...firing, state, reason }]);
  });
}

/** What the call itself is to blame for will not be better soon; that a server is away will. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof MegaError) || error instanceof UnavailableError) return false;
  return error.code !== 'internal' && !error.code.startsWith('database_');
}

function reasonOf({ owner, fn }: ScheduleRow, error: unknown): string {
  if (codeOf(error) !== 'refused') return describe(error);
  return `it fires in the name of ${owner}, who may not call ${fn} any more: ${describe(error)}`;
}

const whyLate = ({ reason }: FiringRow) =>
  `its job could not be made in time${reason === null ? '' : `, though it was to be ${reason}`}`;
