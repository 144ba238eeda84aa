import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { codeOf, InputError, MegaError, UnavailableError } from '../errors.ts';
import { readIfThere, removeFolder, writeDurably } from '../files.ts';
import { MAX_BYTES, verifySigned } from './metadata.ts';

/**
 * A client of The Update Framework, on a folder of trusted metadata. The one owner of tuf-js.
 *
 * - tuf-js writes its files plainly, so it works on a copy; what it has verified is then written durably, root first.
 *   A mixture after a power loss is no harm: each file is verified by itself, and the next refresh mends it.
 * - It fixes the time when an updater is made, so there is one for each refresh.
 * - A file that was torn counts as missing; the built-in root is where trust begins anew.
 */

/** One piece of metadata by its name (`2.root.json`, `timestamp.json`, ...); undefined where there is none. */
export type FetchMetadata = (name: string) => Promise<string | undefined>;

export type TrustFolder = {
  /** Laid down when the host joined, never changed by the host. */
  builtInRoot: string;
  folder: string;
};

const NAMES = ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json'];
/** tuf-js thinks in URLs; only the last part of them is looked at. */
const BASE_URL = 'https://metadata.invalid';
/** Longer chains of roots than this are not walked in one go. */
const LIMITS = { maxRootRotations: 64, rootMaxLength: MAX_BYTES.root, targetsMaxLength: MAX_BYTES.targets };

/**
 * Brings the folder up to date by the client workflow of the specification (5.3 to 5.6), and returns the text of the
 * targets. Nothing changes in the folder unless all of it was verified. Errors: `metadata_expired`,
 * `metadata_refused` (a signature, a rollback, a mixture, or too large), `no_root`, and those of `fetch`.
 */
export async function refreshTrust(at: TrustFolder, fetch: FetchMetadata): Promise<string> {
  const work = `${at.folder}.work`;
  removeFolder(work);
  try {
    mkdirSync(work, { recursive: true, mode: 0o700 });
    copyTrusted(at, work);
    await update(work, fetch);
    mkdirSync(at.folder, { recursive: true, mode: 0o700 });
    for (const name of NAMES) keep(join(work, name), join(at.folder, name));
    return readFileSync(join(at.folder, 'targets.json'), 'utf8');
  } finally {
    removeFolder(work);
  }
}

/**
 * The targets as they were trusted last, whatever their age: expired metadata is no reason to distrust an order's key.
 * Undefined where there are none, or where they were torn.
 */
export function trustedTargets({ folder, builtInRoot }: TrustFolder): string | undefined {
  const root = wholeRoot(join(folder, 'root.json')) ?? wholeRoot(builtInRoot);
  const targets = readIfThere(join(folder, 'targets.json'));
  if (root === undefined || targets === undefined) return undefined;
  try {
    verifySigned(root, 'targets', targets);
    return targets;
  } catch {
    return undefined;
  }
}

function copyTrusted(at: TrustFolder, work: string): void {
  for (const name of NAMES.slice(1)) {
    const trusted = join(at.folder, name);
    if (existsSync(trusted)) copyFileSync(trusted, join(work, name));
  }
  const root = wholeRoot(join(at.folder, 'root.json')) ?? wholeRoot(at.builtInRoot);
  if (root === undefined) {
    throw new InputError('no_root', `${at.builtInRoot} is no root of trust: join this host again`);
  }
  writeDurably(join(work, 'root.json'), root);
}

/** A root that is signed by its own keys, and so neither torn nor something else. */
function wholeRoot(path: string): string | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    verifySigned(text, 'root', text);
    return text;
  } catch {
    return undefined;
  }
}

async function update(work: string, fetch: FetchMetadata): Promise<void> {
  let unavailable: unknown;
  const downloadBytes = async (url: string, maxBytes: number): Promise<Buffer> => {
    const name = url.slice(url.lastIndexOf('/') + 1);
    const text = await fetch(name).catch((error: unknown) => {
      unavailable = error;
      throw error;
    });
    if (text === undefined) throw new DownloadHTTPError(`there is no ${name}`, 404);
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length > maxBytes)
      throw new MegaError('metadata_refused', `${name} has more than ${maxBytes} bytes`);
    return bytes;
  };
  const downloadFile = () => Promise.reject(new Error('packages come by stream'));
  const fetcher = { downloadBytes, downloadFile };
  try {
    await new Updater({ metadataDir: work, metadataBaseUrl: BASE_URL, fetcher, config: LIMITS }).refresh();
  } catch (error) {
    // tuf-js passes on only the text of what it meets below.
    throw unavailable instanceof UnavailableError || codeOf(unavailable) !== 'unknown'
      ? unavailable
      : refusal(error);
  }
}

function refusal(error: unknown): Error {
  const { message } = error as Error;
  if (/is expired/.test(message)) {
    const remedy = 'the dispatcher or the holders of the offline keys must sign it anew';
    return new MegaError('metadata_expired', `the signed metadata has expired: ${remedy}`, { cause: error });
  }
  return new MegaError('metadata_refused', 'the metadata is not what was signed', { cause: error });
}

function keep(from: string, to: string): void {
  const text = readFileSync(from, 'utf8');
  if (readIfThere(to) !== text) writeDurably(to, text);
}
