import type { Queryable } from '../../lib/conn.ts';
import type { Logger } from '../../lib/logs.ts';
import { raiseAlert } from '../alerts/raise.ts';
import type { NewFiring } from '../store/firings.ts';

/**
 * Times of a schedule whose job was not made, or not in time, are told to people who do not look for it: in one alert,
 * since the next about the same schedule takes its place. `db`: the transaction in which that came about.
 */
export async function tellOf(
  { logger, db }: { logger: Logger; db: Queryable },
  schedule: string,
  firings: NewFiring[],
): Promise<void> {
  const kept = firings.filter(({ state, reason }) => state !== 'due' || reason !== null);
  if (kept.length === 0) return;
  for (const { dueAt: due, state, reason } of kept)
    logger.warn({ schedule, due, state, reason }, 'a schedule did not fire as it was due');
  const told = kept.map(({ dueAt, state, reason }) => {
    return `what was due at ${dueAt.toISOString()} ${state === 'due' ? 'is' : `was ${state}:`} ${reason}`;
  });
  const text = `schedule ${schedule}: ${told.join('; ')}; mega schedule show ${schedule} tells more`;
  await raiseAlert(db, { kind: 'schedule_missed', about: schedule, text });
}
