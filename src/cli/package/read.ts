import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { unpack } from '../../lib/archive.ts';
import { InputError } from '../../lib/errors.ts';
import { readManifest } from '../../lib/home.ts';
import type { Manifest } from '../../lib/messages.ts';

/** What every package holds besides its manifest. */
const NEEDED = ['agent.mjs', 'loader.sh'];

export type PackageFile = { manifest: Manifest; sha256: string; size: number };

/** Reads a package as a host would, before anything is done with it. Errors: `bad_argument`, `bad_archive`, `bad_manifest`. */
export async function readPackage(file: string): Promise<PackageFile> {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) {
    throw new InputError('bad_argument', `there is no package ${file}; mega package build makes one`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'mega-package-'));
  try {
    await unpack(file, folder);
    const manifest = readManifest(folder);
    if (!manifest) throw new InputError('bad_manifest', `${file} has no manifest.json`);
    const missing = NEEDED.filter((name) => !existsSync(join(folder, name)));
    if (missing.length > 0) throw new InputError('bad_archive', `${file} lacks ${missing.join(' and ')}`);
    return { manifest, sha256: await sha256Of(file), size: stat.size };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
