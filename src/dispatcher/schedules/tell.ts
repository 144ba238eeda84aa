import type { Queryable } from '../../lib/conn.ts';
import type { Logger } from '../../lib/logs.ts';
import type { NewFiring } from '../store/firings.ts';

const ENDS_BADLY = new Set(['missed', 'skipped', 'failed']);

/**
 * A time of a schedule whose job was not made, or not in time, is told to people who do not look for it. `db`: the
 * transaction in which that came about.
 */
export function tellOf(
  { logger }: { logger: Logger; db: Queryable },
  schedule: string,
  { dueAt, state, reason }: NewFiring,
): void {
  if (!ENDS_BADLY.has(state) && reason === null) return;
  logger.warn({ schedule, due: dueAt.toISOString(), state, reason }, 'a schedule did not fire as it was due');
}
