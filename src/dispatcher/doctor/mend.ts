import { describe } from '../../lib/errors.ts';
import { hostQueue, joinerUser } from '../../lib/topology.ts';
import type { Context } from '../context.ts';
import { declareTopology, provisionHost, provisionJoiner, unlessRemoved } from '../declare.ts';
import { adoptSecret, getRegistered } from '../store/registered.ts';
import { tokensWithUser } from '../store/tokens.ts';
import type { Difference, Mend } from './difference.ts';

const AT_ONCE = 8;

type Executors = { [M in Mend as M['do']]: (context: Context, mend: M) => Promise<void> };

/** Each may be done again, and looks once more: what was seen may have changed since. */
const EXECUTORS: Executors = {
  declare: ({ publisher, management }) => declareTopology(publisher, management),
  provision_host: async (context, { host }) => {
    const { db, publisher, management } = context;
    const row = await getRegistered(db, host);
    if (!row?.passwordHash) return;
    await provisionHost(publisher, management, host, row.passwordHash);
    await unlessRemoved(context, host);
  },
  provision_joiner: async (context, { token }) => {
    const found = (await tokensWithUser(context.db)).find((one) => one.id === token);
    if (found) await provisionJoiner(context.management, token, found.passwordHash);
    await unlessOver(context, token);
  },
  adopt_secret: ({ db }, { host, passwordHash }) => adoptSecret(db, host, passwordHash),
  remove_host: (context, { host }) => unlessRemoved(context, host),
  remove_queue: async ({ db, publisher }, { host }) => {
    if (await getRegistered(db, host)) return;
    await publisher.withChannel((channel) => channel.deleteQueue(hostQueue(host)));
  },
  remove_joiner: (context, { token }) => unlessOver(context, token),
  unbind: ({ publisher }, { binding: { queue, exchange, key } }) =>
    publisher.withChannel(async (channel) => {
      await channel.unbindQueue(queue, exchange, key);
    }),
};

async function unlessOver({ db, management }: Context, token: string): Promise<void> {
  const there = (await tokensWithUser(db)).some((one) => one.id === token);
  if (!there) await management.deleteUser(joinerUser(token));
}

/** Mends what can be mended, several at a time, until all is done or the time is over; what was mended. */
export async function mendAll(
  context: Context,
  found: Difference[],
  budgetMs: number,
): Promise<Set<Difference>> {
  const until = performance.now() + budgetMs;
  const mended = new Set<Difference>();
  const waiting = found.filter((one) => one.mend !== undefined);
  const work = async () => {
    for (let one = waiting.shift(); one && performance.now() < until; one = waiting.shift()) {
      if (await isMended(context, one)) mended.add(one);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return mended;
}

async function isMended(context: Context, { subject, mend }: Difference): Promise<boolean> {
  try {
    await carryOut(context, mend!);
    return true;
  } catch (error) {
    context.logger.warn({ subject, error: describe(error) }, 'a difference could not be mended');
    return false;
  }
}

const carryOut = <M extends Mend>(context: Context, mend: M) =>
  (EXECUTORS[mend.do] as (context: Context, mend: M) => Promise<void>)(context, mend);
