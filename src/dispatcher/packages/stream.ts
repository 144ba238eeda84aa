import { createHash } from 'node:crypto';
import { codeOf, InputError, MegaError, UnavailableError } from '../../lib/errors.ts';
import type { Artifact } from '../../lib/messages.ts';
import { EXCHANGE, streamQueue, streamSpec } from '../../lib/topology.ts';
import type { Context } from '../context.ts';
import { getChunk, getPackageBySha, type PackageRow } from '../store/packages.ts';
import { leaseStream, markRead, releaseStream, renewStream } from '../store/streams.ts';

/**
 * One stream per artifact, made when somebody asks for it and made again when it is gone. One dispatcher at a
 * time holds the lease and sends; after its death another sends everything again, and readers drop what they
 * have twice. A version is told to readers only once its stream is sealed: every chunk confirmed.
 */
const LEASE_MS = 30_000;
const RENEW_CHUNKS = 16;

/**
 * Chunks on their way at once, and so how much the broker writes as one entry of the stream, which it later loads
 * whole for each reader. 45 MB, chunks of 128 KB, prefetch 4, RabbitMQ 3.10.8 on two cores shared with the readers:
 *
 *     window   500 readers: broker's peak, MB/s   100 readers        filling, MB/s
 *     16       1870 MB (3.4 a reader)      457    744 MB      267    109 to 248
 *     4         644 MB (0.9)               487    308 MB      361    192 to 243
 *     1         471 MB (0.6)               463    242 MB      269     69 to 205
 *
 * One at a time still fills as fast as readers read it, and only once for all of them.
 */
const WINDOW = 1;

/** How exactly it is known when somebody asked last: far less than streams are kept. */
const MARK_MS = 5_000;
const marked = new Map<string, number>();

/** Artifacts sent again on request, and when: a damaged stream is mended once for all who ask. */
const resent = new Map<string, number>();
const RESEND_PAUSE_MS = 60_000;

/**
 * The artifact once its stream is sealed; undefined while another dispatcher is still sending it. `again`: the
 * reader did not find all of it in the stream.
 */
export async function openArtifact(
  context: Context,
  sha256: string,
  again: boolean,
): Promise<Artifact | undefined> {
  await markAsked(context, sha256); // before looking: see sweep.ts
  const row = await getPackageBySha(context.db, sha256);
  if (row?.state !== 'ready') {
    throw new InputError('unknown_package', `no published package has sha256 ${sha256}`);
  }
  const there = row.sealed && (await streamExists(context, sha256));
  const resend = there && again && Date.now() - (resent.get(sha256) ?? 0) > RESEND_PAUSE_MS;
  if (resend) resent.set(sha256, Date.now());
  const sent = (!there || resend) && (await sendStream(context, row, resend));
  if (!there && !sent) return undefined;
  const { size, chunkBytes, chunks } = row;
  return { sha256, size, chunkBytes, chunks, queue: streamQueue(sha256) };
}

/** Writes down that it is asked for, now and then: not for each of the thousands that ask at once. */
async function markAsked({ db, config }: Context, sha256: string): Promise<void> {
  const now = performance.now();
  const pauseMs = Math.min(MARK_MS, config.streamKeepMs / 4);
  const last = marked.get(sha256);
  if (last !== undefined && now - last < pauseMs) return;
  if (await markRead(db, sha256)) marked.set(sha256, now); // from before: never later than what is written
}

/** False when another one is sending. `resend`: it stays open to other readers meanwhile. */
async function sendStream(context: Context, row: PackageRow, resend: boolean): Promise<boolean> {
  const { db, publisher, logger } = context;
  // An owner of its own for each sending: two requests in one dispatcher must not send twice either.
  const owner = crypto.randomUUID();
  if (!(await leaseStream(db, row, owner, LEASE_MS, resend))) return false;
  let sealed = false;
  try {
    await publisher.withChannel(async (channel) => {
      const spec = streamSpec(row.sha256, row.size);
      await channel.assertQueue(spec.name, { durable: true, arguments: spec.arguments });
      await channel.bindQueue(spec.name, EXCHANGE.package, row.sha256);
    });
    for (let at = 0; at < row.chunks; at += WINDOW) {
      const indices = Array.from({ length: Math.min(WINDOW, row.chunks - at) }, (_, i) => at + i);
      await Promise.all(indices.map((index) => sendChunk(context, row, index)));
      if (at % RENEW_CHUNKS > 0) continue;
      if (!(await renewStream(db, row.sha256, owner, LEASE_MS))) return false;
    }
    sealed = true;
    logger.info({ package: row.name, chunks: row.chunks, bytes: row.size }, 'the package is in its stream');
    return true;
  } finally {
    await releaseStream(db, row.sha256, owner, sealed || resend);
  }
}

async function sendChunk(context: Context, row: PackageRow, index: number): Promise<void> {
  const body = await getChunk(context.db, row.sha256, index);
  if (!body) throw new MegaError('missing_chunk', `chunk ${index} of ${row.name} is not in the database`);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const outcome = await context.publisher.publish({
    exchange: EXCHANGE.package,
    key: row.sha256,
    type: 'chunk',
    messageId: `${row.sha256}:${index}`,
    headers: { index, count: row.chunks, sha256 },
    body,
    mandatory: true,
  });
  if (outcome === 'returned')
    throw new UnavailableError('stream_gone', 'the stream was deleted while it was being filled');
}

async function streamExists(context: Context, sha256: string): Promise<boolean> {
  try {
    await context.publisher.withChannel((channel) => channel.checkQueue(streamQueue(sha256)));
    return true;
  } catch (error) {
    if (codeOf(error) === '404') return false;
    throw error;
  }
}
