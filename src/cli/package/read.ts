import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { unpack } from '../../lib/archive.ts';
import { InputError } from '../../lib/errors.ts';
import { readManifestAs } from '../../lib/home.ts';
import {
  type Manifest,
  type PackageManifest,
  packageManifest,
  type RuntimeManifest,
} from '../../lib/manifest.ts';
import { readRuntime } from '../../lib/runtime.ts';

/** What every release holds besides its manifest. */
const NEEDED = ['agent.mjs', 'loader.sh'];

export type PackageFile<M = PackageManifest> = { manifest: M; sha256: string; size: number };

/**
 * Reads a package, of a release or a runtime, as a host would, before anything is done with it. Errors:
 * `bad_argument`, `bad_archive`, `bad_manifest`.
 */
export async function readPackage(file: string): Promise<PackageFile> {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) {
    throw new InputError('bad_argument', `there is no package ${file}; mega package build makes one`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'mega-package-'));
  try {
    await unpack(file, folder);
    return { manifest: readContent(folder, file), sha256: await sha256Of(file), size: stat.size };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same, of a release. Errors: as `readPackage`. */
export async function readReleasePackage(file: string): Promise<PackageFile<Manifest>> {
  const { manifest, ...rest } = await readPackage(file);
  if (manifest.name === 'mega') return { manifest, ...rest };
  throw new InputError('bad_argument', `${file} is a runtime, not a release; mega package build makes one`);
}

/** The same, of a runtime. Errors: as `readPackage`. */
export async function readRuntimePackage(file: string): Promise<PackageFile<RuntimeManifest>> {
  const { manifest, ...rest } = await readPackage(file);
  if (manifest.name === 'runtime') return { manifest, ...rest };
  throw new InputError(
    'bad_argument',
    `${file} is a release, not a runtime; mega package build-runtime makes one`,
  );
}

function readContent(folder: string, file: string): PackageManifest {
  const manifest = readManifestAs(packageManifest, folder);
  if (!manifest) throw new InputError('bad_manifest', `${file} has no manifest.json`);
  if (manifest.name === 'runtime') return readRuntime(folder);
  const missing = NEEDED.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) throw new InputError('bad_archive', `${file} lacks ${missing.join(' and ')}`);
  return manifest;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
