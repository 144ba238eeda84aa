import { existsSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { unpack } from './archive.ts';
import { InputError } from './errors.ts';
import { removeFolder, settle, syncFolder, unlessMissing } from './files.ts';
import { type Home, readManifest } from './home.ts';
import type { Manifest } from './manifest.ts';
import { requireRuntime } from './runtime.ts';
import { platform } from './utils.ts';

/** Folders under `releases/` whose names begin with a dot are leftovers of an attempt that died. */
const BESIDE = '.staging-';
const ASIDE = '.removed-';

/**
 * Unpacks a package beside, checks it, and makes it durable as `releases/<version>`; what was there under that
 * name is replaced. Nothing that runs is touched. Errors: `bad_archive`, `bad_manifest`, `wrong_version`,
 * `wrong_platform`, `no_runtime`, and the system's own (`ENOSPC`, `EACCES`).
 */
export async function stageRelease(home: Home, archive: string, version: string): Promise<void> {
  sweepReleases(home);
  const beside = join(home.releases, `${BESIDE}${version}`);
  try {
    await unpack(archive, beside);
    const about = checkManifest(beside, version);
    symlinkSync(join('..', '..', 'runtimes', requireRuntime(home, about.runtime)), join(beside, 'runtime'));
    settle(beside, scriptsIn(beside));
    const place = home.release(version);
    if (existsSync(place)) renameSync(place, join(home.releases, `${ASIDE}${version}`));
    renameSync(beside, place);
    syncFolder(home.releases);
  } finally {
    sweepReleases(home);
  }
}

/** A script may be a program by itself. */
function scriptsIn(folder: string): string[] {
  const found = unlessMissing(() => {
    return readdirSync(join(folder, 'scripts'), { recursive: true, withFileTypes: true });
  });
  return (found ?? []).map((entry) => join(entry.parentPath, entry.name));
}

/** What is to be started must be there, with the runtime that it names. */
export function requireRelease(home: Home, version: string): void {
  const folder = home.release(version);
  if (!existsSync(join(folder, 'agent.mjs')) || !existsSync(join(folder, 'runtime', 'bin', 'node'))) {
    throw new InputError('no_release', `${folder} is not whole: order the upgrade again`);
  }
}

export function requirePlatform(platforms: string[]): void {
  if (!platforms.includes(platform())) {
    throw new InputError(
      'wrong_platform',
      `the package is for ${platforms.join(', ')}; this host is ${platform()}`,
    );
  }
}

/** Removes what attempts that died have left, and releases that are not in `keep`, if given. */
export function sweepReleases(home: Home, keep?: string[]): void {
  for (const name of readdirSync(home.releases)) {
    const leftover = name.startsWith(BESIDE) || name.startsWith(ASIDE);
    if (leftover || (keep && !keep.includes(name))) removeFolder(join(home.releases, name));
  }
}

function checkManifest(folder: string, version: string): Manifest {
  const about = readManifest(folder);
  if (!about) throw new InputError('bad_manifest', 'the package has no manifest.json');
  if (about.version !== version) {
    throw new InputError('wrong_version', `the package says it is ${about.version}, not ${version}`);
  }
  requirePlatform(about.platforms);
  return about;
}
