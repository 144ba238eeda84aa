import { randomUUID } from 'node:crypto';
import { STREAM_PATTERN, sha256OfStream, streamQueue } from '../../lib/topology.ts';
import type { Context } from '../context.ts';
import { knownArtifacts } from '../store/packages.ts';
import { leaseUnread, releaseStream, unreadStreams } from '../store/streams.ts';

/**
 * Streams that nobody needs take the broker's disk, and go.
 *
 * THE RULE. Whoever tells a reader of a stream first writes down that it is asked for (`read_at`), and then looks
 * whether it is sealed. Whoever deletes one first takes its lease and breaks its seal, in one statement that wants
 * `read_at` to be old; and then deletes it. So of a reader and a deleter that come together one is first: either the
 * reader's mark is seen and the stream stays, or the broken seal is, and the reader waits until the lease is given
 * back and the stream is made anew. Two deleters, or one and a dispatcher that fills the stream, exclude each other by
 * that same lease. A reader that reads for longer than streams are kept, without asking in between, loses its stream
 * in mid download: it asks, and goes on where it was.
 */
const LEASE_MS = 30_000;

/** Deletes the streams of artifacts that nobody asked for in `streamKeepMs`. */
export async function deleteUnread(context: Context): Promise<void> {
  for (const sha256 of await unreadStreams(context.db, context.config.streamKeepMs)) {
    await deleteIfUnread(context, sha256);
  }
}

/**
 * Deletes the streams that no row of ours would ever lead to: of packages that a restored database does not know, or
 * that were removed when the broker was away; and those that a dispatcher died over while it filled or deleted them.
 * A row is there before its stream, so that one without a row belongs to none that is being made.
 */
export async function deleteStray(context: Context): Promise<void> {
  const names = await context.management.queueNames(STREAM_PATTERN);
  const found = names.map(sha256OfStream).filter((sha256) => sha256 !== undefined);
  const known = await knownArtifacts(context.db, found);
  for (const sha256 of found) {
    if (known.has(sha256)) await deleteIfUnread(context, sha256);
    else await deleteStream(context, sha256, 'no package of that sum is known');
  }
}

/** Deleting what is not there changes nothing. */
export async function deleteStream(context: Context, sha256: string, why: string): Promise<void> {
  await context.publisher.withChannel((channel) => channel.deleteQueue(streamQueue(sha256)));
  context.logger.info({ sha256, why }, 'a stream was deleted');
}

async function deleteIfUnread(context: Context, sha256: string): Promise<void> {
  const { db, config } = context;
  const owner = randomUUID();
  if (!(await leaseUnread(db, sha256, owner, LEASE_MS, config.streamKeepMs))) return;
  try {
    await deleteStream(context, sha256, 'nobody has asked for it lately');
  } finally {
    await releaseStream(db, sha256, owner, false);
  }
}
