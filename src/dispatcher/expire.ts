import { loginOf } from '../lib/people.ts';
import type { Context } from './context.ts';
import { endJobs } from './jobs/ended.ts';
import { quarantineDue } from './quarantine.ts';
import { expiredApiTokens, removeApiToken } from './store/api-tokens.ts';
import { cancelUntaken, expireTasks, markLost, returnExpiredOrders } from './store/due.ts';
import { markAway } from './store/hosts.ts';
import { jobsToEnd } from './store/jobs.ts';
import { sweepTokens } from './tokens.ts';

const ORDER_GRACE_MS = 2_000;
const JOBS_A_ROUND = 100;
const TOKENS_A_ROUND = 20;

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
  await quarantineDue(context);
  await expireTasks(db);
  await endJobs(context, await jobsToEnd(db, JOBS_A_ROUND));
  await sweepTokens(context);
  await removeExpiredTokens(context);
}

/** Their logins first, so that what fails is tried again; last of all, since the broker may be away. */
async function removeExpiredTokens({ db, management, logger }: Context): Promise<void> {
  for (const { owner, name } of await expiredApiTokens(db, TOKENS_A_ROUND)) {
    await management.deleteUser(loginOf(owner, name));
    if (await removeApiToken(db, owner, name))
      logger.info({ user: owner, token: name }, 'an API token expired');
  }
}
