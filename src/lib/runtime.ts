import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { unpack } from './archive.ts';
import { codeOf, InputError } from './errors.ts';
import { removeFolder, settle, syncFolder, unlessMissing } from './files.ts';
import { type Home, readManifestAs, runtimeName } from './home.ts';
import { type RuntimeManifest, runtimeManifest } from './manifest.ts';
import { platform } from './utils.ts';

/**
 * The Node.js of a host: `runtimes/<name>`, which the releases that run on it name by their link `runtime`.
 *
 * - What bears its name is whole: it is made beside, durable, and renamed into its place; removed, it first loses
 *   its name.
 * - It stays for as long as a release under `releases/` names it; the running one, `current` and `previous` are
 *   there, so what they run on is never removed.
 */
const NODE = join('bin', 'node');

/** Leftovers of attempts that died, of ours and of `mega host add`. */
const BESIDE = '.staging-';
const ASIDE = '.removed-';
const LEFTOVER = /^\.(staging|removed|new)-/;

export function hasRuntime(home: Home, runtime: string): boolean {
  return existsSync(join(home.runtime(runtimeName(runtime)), NODE));
}

/** The name of the runtime's folder on this host. Error: `no_runtime`, with the remedy. */
export function requireRuntime(home: Home, runtime: string): string {
  const name = runtimeName(runtime);
  if (hasRuntime(home, runtime)) return name;
  throw new InputError(
    'no_runtime',
    `the runtime ${name} is neither on this host nor published: \`mega package build-runtime\` and ` +
      '`mega package publish` publish it; then order again',
  );
}

/**
 * Unpacks a runtime's package into its place; what was there under its name is replaced. Errors: `bad_archive`,
 * `bad_manifest`, `wrong_runtime`, `wrong_platform`, and the system's own.
 */
export async function stageRuntime(home: Home, archive: string, runtime: string): Promise<void> {
  mkdirSync(home.runtimes, { recursive: true, mode: 0o755 });
  const name = runtimeName(runtime);
  const beside = join(home.runtimes, `${BESIDE}${name}`);
  removeFolder(beside);
  try {
    await unpack(archive, beside);
    checkRuntime(beside, runtime);
    settle(beside, [join(beside, NODE)]);
    takeAway(home, name);
    renameSync(beside, home.runtime(name));
    syncFolder(home.runtimes);
  } finally {
    removeFolder(beside);
  }
}

/** An unpacked runtime: its manifest, and a program where it must be. Errors: `bad_manifest`, `bad_archive`. */
export function readRuntime(folder: string): RuntimeManifest {
  const about = readManifestAs(runtimeManifest, folder);
  if (!about) throw new InputError('bad_manifest', 'the package has no manifest.json');
  const node = statSync(join(folder, NODE), { throwIfNoEntry: false });
  if (!node?.isFile()) throw new InputError('bad_archive', `the runtime lacks ${NODE}`);
  if ((node.mode & 0o100) === 0) throw new InputError('bad_archive', `${NODE} of the runtime is no program`);
  return about;
}

/** `runtime` and this machine's platform are what is wanted. Errors: as `readRuntime`, and `wrong_...`. */
function checkRuntime(folder: string, runtime: string): void {
  const about = readRuntime(folder);
  if (about.runtime !== runtime) {
    throw new InputError('wrong_runtime', `the package holds ${about.runtime}, not ${runtime}`);
  }
  if (about.platform !== platform()) {
    throw new InputError(
      'wrong_platform',
      `the runtime is for ${about.platform}; this host is ${platform()}`,
    );
  }
}

/**
 * Removes what no release names, and leftovers. To be called once the releases that go are gone. A `runtimes` that
 * is a link is left alone: other homes may share it.
 */
export function sweepRuntimes(home: Home): void {
  const folder = unlessMissing(() => lstatSync(home.runtimes));
  if (!folder?.isDirectory()) return;
  const named = runtimesInUse(home);
  for (const name of readdirSync(home.runtimes)) {
    if (LEFTOVER.test(name)) removeFolder(join(home.runtimes, name));
    else if (!named.includes(name)) takeAway(home, name);
  }
}

/** A release that is being unpacked or removed counts, too: better one too many than one too few. */
function runtimesInUse(home: Home): (string | undefined)[] {
  return readdirSync(home.releases).map((release) => linkAt(join(home.releases, release, 'runtime')));
}

/** What a link names. A release without one names nothing; an error of the disk is no answer, and is thrown. */
function linkAt(path: string): string | undefined {
  try {
    return basename(readlinkSync(path));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

function takeAway(home: Home, name: string): void {
  const aside = join(home.runtimes, `${ASIDE}${name}`);
  removeFolder(aside);
  unlessMissing(() => renameSync(home.runtime(name), aside));
  syncFolder(home.runtimes); // its name is gone before the first of its files
  removeFolder(aside);
}
