import type { Context } from './context.ts';
import { cancelUntaken, expireTasks, markLost, returnExpiredOrders } from './store/due.ts';
import { markAway } from './store/hosts.ts';
import { finishJobs, jobsToEnd } from './store/jobs.ts';
import { sweepTokens } from './tokens.ts';

const ORDER_GRACE_MS = 2_000;
const JOBS_A_ROUND = 100;

/**
 * Gives every wait its end (I6). `steadyMs`: how long this dispatcher has been reading what hosts say without a
 * break; a host's silence is no evidence while we were not listening ourselves (I5).
 */
export async function expireDue(context: Context, steadyMs: number): Promise<void> {
  const { db, config } = context;
  if (steadyMs > config.offlineAfterMs) await markAway(db, config.offlineAfterMs);
  if (steadyMs > config.lostGraceMs) {
    await markLost(db, config.lostGraceMs);
    await cancelUntaken(db, config.lostGraceMs);
  }
  await returnExpiredOrders(db, ORDER_GRACE_MS);
  await expireTasks(db);
  await finishJobs(db, await jobsToEnd(db, JOBS_A_ROUND));
  await sweepTokens(context);
}
