import { joinerUser } from '../lib/topology.ts';
import type { Context } from './context.ts';
import { forgetTokens, markUserGone, tokensOver } from './store/tokens.ts';

const DAY_MS = 24 * 3_600_000;
/** Whoever comes too late is let in for so long, to be told why it is too late. */
const TELL_MS = DAY_MS;
const REMEMBER_MS = 30 * DAY_MS;
const TOKENS_A_ROUND = 20;

/** Tokens that are over lose their user in the broker, a day later unless they were revoked; then they are forgotten. */
export async function sweepTokens({ db, management }: Context): Promise<void> {
  for (const id of await tokensOver(db, TELL_MS, TOKENS_A_ROUND)) {
    await management.deleteUser(joinerUser(id));
    await markUserGone(db, id);
  }
  await forgetTokens(db, REMEMBER_MS, TOKENS_A_ROUND);
}
