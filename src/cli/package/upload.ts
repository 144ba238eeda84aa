import { type FileHandle, open } from 'node:fs/promises';
import type { Call } from '../../lib/sender.ts';
import { formatSize } from '../../lib/utils.ts';
import { callSurely } from '../session.ts';
import type { Output } from '../world.ts';
import type { PackageFile } from './read.ts';

type Begun = { state: string; chunkBytes: number; missing: number[] };

const IN_FLIGHT = 4;
/** The dispatcher reads the whole package back before it says yes. */
const FINISH_TIMEOUT_MS = 120_000;

/**
 * Uploads a package; begun before, it sends only the chunks that are missing. Progress goes to `output`. Answers false
 * when it was there already.
 */
export async function uploadPackage(
  call: Call,
  file: string,
  { manifest, sha256, size }: PackageFile,
  output: Output,
): Promise<boolean> {
  const begun = await callSurely<Begun>(call, 'begin_package', { manifest, sha256, size });
  if (begun.state === 'ready') return false;
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
  return true;
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
