import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { InputError, MegaError } from '../../lib/errors.ts';
import { readIfThere, writeDurably } from '../../lib/files.ts';
import type { Home } from '../../lib/home.ts';
import { type Artifact, chunkHeaders } from '../../lib/messages.ts';
import { type Incoming, Subscription } from '../../lib/subscription.ts';
import { sleep } from '../../lib/utils.ts';
import type { Room } from '../room.ts';
import { namingFullDisk } from './disk.ts';
import { lowerRate, Pace } from './pace.ts';
import { Place } from './place.ts';
import { Silence } from './silence.ts';

/** 500 readers got 436, 463 and 447 MB/s with 2, 4 and 8; 8 took 0.9 MB of the broker a reader, the others 0.6. */
export const PREFETCH = 4;
/** Without a new chunk for so long the dispatcher is asked for the artifact again. */
const IDLE_MS = 15_000;
const SAVE_EVERY = 32;

/** An artifact as the order names it. */
export type Wanted = { sha256: string; size: number };

/** What is on disk of a download: which chunks, and from which offset of the stream to read on. */
const progress = z.object({ offset: z.number(), have: z.array(z.number()) });

/**
 * Fetches the artifact into `state/downloads/<sha256>`: chunks in any order, duplicates dropped, damaged ones
 * passed over, resumed where a dead attempt left off. Lasts until `signal` is aborted if it must: a broker or
 * dispatcher that is away is no failure of the download.
 */
export function download(room: Room, wanted: Wanted, signal: AbortSignal): Promise<string> {
  return namingFullDisk(room.home.downloads, () => fetchAll(room, wanted, signal));
}

/** Removes what is there of other downloads: whatever they were for, it is not what is wanted now. */
export function clearDownloads(home: Home, keep: string[]): void {
  mkdirSync(home.downloads, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(home.downloads)) {
    if (!keep.some((sha256) => name.startsWith(sha256))) rmSync(join(home.downloads, name), { force: true });
  }
}

async function fetchAll(room: Room, wanted: Wanted, signal: AbortSignal): Promise<string> {
  const { home, logger } = room;
  mkdirSync(home.downloads, { recursive: true, mode: 0o700 });
  const file = join(home.downloads, wanted.sha256);
  const place = new Place(room, wanted);
  try {
    for (let again = false; ; ) {
      const found = await place.take(again, signal);
      await using part = new Part(file, found);
      if (again) part.offset = undefined; // it may be a stream made anew, which counts from 0
      const how = await readStream(room, place, found, part, signal);
      if (how === 'whole') return file;
      logger.info({ missing: part.missing }, WHY_AGAIN[how]);
      again = how === 'silent' && room.broker.connected;
    }
  } finally {
    place.giveBack();
  }
}

const WHY_AGAIN = {
  silent: 'the stream gave nothing more: asking for it again',
  lost: 'this host may not read for now: asking for it again',
};

/** The whole against what the order says. A file that is wrong is removed: it would be resumed otherwise. */
export async function verify(file: string, wanted: Wanted): Promise<void> {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(file)) hash.update(bytes as Buffer);
  const found = hash.digest('hex');
  if (found === wanted.sha256) return;
  rmSync(file, { force: true });
  rmSync(`${file}.have`, { force: true });
  throw new InputError('corrupt', `what was downloaded has sha256 ${found}, the order says ${wanted.sha256}`);
}

/** `silent`: the stream ended, was deleted, or gave nothing new; `lost`: our place is another host's. */
async function readStream(
  room: Room,
  place: Place,
  found: Artifact,
  part: Part,
  signal: AbortSignal,
): Promise<'whole' | 'silent' | 'lost'> {
  if (part.missing === 0) return 'whole';
  const ended = Promise.withResolvers<'whole' | 'silent' | 'lost'>();
  const over = new AbortController();
  const pace = new Pace(lowerRate(found.maxBytesPerSecond, room.config.maxDownloadBytesPerSecond));
  const silence = new Silence(IDLE_MS, () => ended.resolve('silent'));
  const take = (message: Incoming) => {
    try {
      const fresh = part.take(message);
      const waitMs = pace.pay(message.body.length, performance.now());
      if (fresh) silence.broken(waitMs);
      else silence.excuse(pace.costMs(message.body.length));
      if (part.missing === 0) ended.resolve('whole');
      else if (waitMs === 0) message.ack();
      else sleep(waitMs, over.signal).then(message.ack, () => undefined);
    } catch (error) {
      ended.reject(error);
    }
  };
  const stop = () => ended.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const options = {
    queue: found.queue,
    prefetch: pace.prefetch(PREFETCH, found.chunkBytes),
    arguments: () => ({ 'x-stream-offset': part.offset === undefined ? 'first' : part.offset + 1 }),
    onTrouble: () => ended.resolve('silent'),
  };
  const stream = new Subscription(room.broker, options, take);
  void place.keep(() => ended.resolve('lost'), over.signal);
  try {
    return await ended.promise;
  } finally {
    over.abort(new MegaError('closed', 'the reading has ended'));
    silence.stop();
    signal.removeEventListener('abort', stop);
    await stream.close();
  }
}

/** The file being filled, with its record of what is there. Bytes are synced before the record names them. */
class Part {
  offset: number | undefined;
  #file: number;
  #path: string;
  #about: Artifact;
  #have: Set<number>;
  #unsaved = 0;

  constructor(path: string, about: Artifact) {
    this.#path = path;
    this.#about = about;
    const saved = readProgress(`${path}.have`);
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#have = new Set(saved?.have.filter((index) => index < about.chunks));
    this.offset = saved?.offset;
  }

  get missing(): number {
    return this.#about.chunks - this.#have.size;
  }

  /** True for a chunk that was missing and is whole. */
  take(message: Incoming): boolean {
    const at = message.headers['x-stream-offset'];
    const headers = chunkHeaders.safeParse(message.headers);
    const good = headers.success && this.#fits(headers.data.index, headers.data.sha256, message.body);
    const fresh = good && !this.#have.has(headers.data.index);
    if (fresh) {
      this.#write(message.body, headers.data.index * this.#about.chunkBytes);
      this.#have.add(headers.data.index);
    }
    if (typeof at === 'number') this.offset = at;
    this.#unsaved++;
    if (this.#unsaved >= SAVE_EVERY || this.missing === 0) this.#save();
    return fresh;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#unsaved > 0) this.#save();
    } catch {
      // A full disk: what ended the download says so; this would only hide it.
      rmSync(join(dirname(this.#path), `.${basename(this.#path)}.have.new`), { force: true });
    } finally {
      closeSync(this.#file);
    }
  }

  /** On a disk that runs full the system writes a part and says no error until it is asked to write the rest. */
  #write(bytes: Buffer, at: number): void {
    let done = 0;
    while (done < bytes.length) done += writeSync(this.#file, bytes, done, bytes.length - done, at + done);
  }

  #fits(index: number, sha256: string, body: Buffer): boolean {
    const { chunks, chunkBytes, size } = this.#about;
    if (index >= chunks || body.length !== Math.min(chunkBytes, size - index * chunkBytes)) return false;
    return createHash('sha256').update(body).digest('hex') === sha256;
  }

  #save(): void {
    fsyncSync(this.#file);
    writeDurably(`${this.#path}.have`, JSON.stringify({ offset: this.offset ?? -1, have: [...this.#have] }));
    this.#unsaved = 0;
  }
}

/** A record that was torn counts as none: the download begins anew. */
function readProgress(path: string): z.infer<typeof progress> | undefined {
  try {
    return progress.parse(JSON.parse(readIfThere(path) ?? ''));
  } catch {
    return undefined;
  }
}
