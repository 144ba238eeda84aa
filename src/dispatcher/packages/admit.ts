import type { Offer } from '../../lib/offer.ts';
import type { Context } from '../context.ts';
import { freeSlot, holdSlot } from '../store/downloads.ts';
import { openArtifact } from './stream.ts';
import { Waiting } from './waiting.ts';

const waiting = new Waiting();

/**
 * What a host is told that asks for an artifact, or asks again while it reads: where to read, or when to come back.
 * Its place is taken before the stream is looked after, and it keeps the place while another dispatcher still fills
 * the stream: it asks again soon, and otherwise the lease ends it.
 */
export async function offerToHost(
  context: Context,
  host: string,
  sha256: string,
  again: boolean,
): Promise<Offer> {
  const { db, config } = context;
  const { maxDownloads, downloadLeaseMs: leaseMs, maxDownloadBytesPerSecond: rate } = config;
  if (!(await holdSlot(db, { host, sha256, leaseMs }, maxDownloads))) {
    const retryMs = waiting.turnAway(host, performance.now());
    const reason = `${maxDownloads} hosts read packages, which is as many as may at once; ${waiting.size} wait`;
    return { artifact: null, retryMs, reason };
  }
  waiting.admit(host);
  const artifact = await openArtifact(context, sha256, again).catch(async (error: unknown) => {
    await freeSlot(db, host, sha256).catch(() => undefined); // the lease does it otherwise
    throw error;
  });
  if (!artifact) return { artifact: null, leaseMs };
  return { artifact: { ...artifact, ...(rate > 0 ? { maxBytesPerSecond: rate } : {}) }, leaseMs };
}

/** An operator's scripts are few: they take no place. */
export async function offerToOperator(context: Context, sha256: string, again: boolean): Promise<Offer> {
  return { artifact: (await openArtifact(context, sha256, again)) ?? null };
}
