import { type FileHandle, open } from 'node:fs/promises';
import type { Manifest, PackageManifest } from '../../lib/manifest.ts';
import type { Call } from '../../lib/sender.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Package } from '../answers.ts';
import { callSurely } from '../session.ts';
import type { Output } from '../world.ts';
import { readPackage } from './read.ts';

export type Published = {
  manifest: PackageManifest;
  sha256: string;
  size: number;
  already: boolean;
};

type Begun = { state: string; chunkBytes: number; missing: number[] };

const IN_FLIGHT = 4;
/** The dispatcher reads the whole package back before it says yes. */
const FINISH_TIMEOUT_MS = 120_000;

/** Uploads a package; begun before, it sends only the chunks that are missing. Progress goes to `output`. */
export async function publishPackage(call: Call, file: string, output: Output): Promise<Published> {
  const { manifest, sha256, size } = await readPackage(file);
  const about = { manifest, sha256, size };
  const begun = await callSurely<Begun>(call, 'begin_package', { manifest, sha256, size });
  if (begun.state === 'ready') return { ...about, already: true };
  const progress = progressOn(output, begun.missing.length, begun.chunkBytes);
  await using handle = await open(file);
  const waiting = begun.missing.values();
  const send = async () => {
    for (const index of waiting) {
      const bytes = (await readChunk(handle, index, begun.chunkBytes)).toString('base64');
      await callSurely(call, 'put_chunk', { sha256, index, bytes });
      progress();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, send));
  await callSurely(call, 'finish_package', { sha256 }, FINISH_TIMEOUT_MS);
  return { ...about, already: false };
}

/** For which of its platforms the runtime that a release runs on is not published. */
export async function platformsWithoutRuntime(
  call: Call,
  { runtime, platforms }: Manifest,
): Promise<string[]> {
  const all = await call<Package[]>('get_all_package');
  const ready = new Set(all.filter((one) => one.state === 'ready').map((one) => one.name));
  return platforms.filter((platform) => !ready.has(`${runtime}-${platform}`));
}

async function readChunk(handle: FileHandle, index: number, chunkBytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(
    Buffer.alloc(chunkBytes),
    0,
    chunkBytes,
    index * chunkBytes,
  );
  return buffer.subarray(0, bytesRead);
}

const QUIET_MS = 2_000;

/** Says nothing of what takes no time; then a line every two seconds. */
function progressOn(output: Output, chunks: number, chunkBytes: number): () => void {
  let done = 0;
  let told = performance.now();
  return () => {
    done++;
    if (performance.now() - told < QUIET_MS) return;
    told = performance.now();
    const percent = Math.floor((100 * done) / chunks);
    output.write(`mega: ${percent} % of ${formatSize(chunks * chunkBytes)} sent\n`);
  };
}
