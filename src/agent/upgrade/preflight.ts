import {
  accessSync,
  constants,
  mkdirSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf, describe } from '../../lib/errors.ts';
import { type Home, runtimeName, versionAt } from '../../lib/home.ts';
import type { UpgradeArgs } from '../../lib/messages.ts';
import { requirePlatform } from '../../lib/release.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Room } from '../room.ts';
import type { Wanted } from './download.ts';
import { Refusal } from './refusal.ts';
import { missingRuntime } from './runtime.ts';

const MAX_CLOCK_OFFSET_MS = 5 * 60_000;
/** What an archive unpacks to, in sizes of the archive; a runtime's (2.7 was measured) is packed less tightly. */
const RELEASE_UNPACKED = 5;
const RUNTIME_UNPACKED = 3;
/** Room for the journal. */
const SPACE_RESERVE = 16 << 20;

/** Why this host had to go back from the version, unless that was before it was released from a quarantine. */
export function skippedOf(
  { journal, clockOffsetMs }: Room,
  { to, released }: UpgradeArgs,
): string | undefined {
  return journal.skipped(to, released === undefined ? 0 : released - clockOffsetMs());
}

/** Throws a {@link Refusal} that names the reason and the remedy, before anything is fetched. */
export function preflight(room: Room, args: UpgradeArgs): void {
  const { home, version } = room;
  if (args.to === version) throw new Refusal('already_there', `${version} runs already`);
  if (args.expect !== null && args.expect !== version) {
    throw new Refusal('stale', `the order expects ${args.expect}, but ${version} runs: order it again`);
  }
  const skipped = skippedOf(room, args);
  if (skipped) throw new Refusal('skipped_version', `${args.to} is on this host's skip list: ${skipped}`);
  const offset = room.clockOffsetMs();
  if (Math.abs(offset) > MAX_CLOCK_OFFSET_MS) {
    throw new Refusal('clock', `this host's clock is off by ${Math.round(offset / 1000)} s: set it first`);
  }
  refusing(() => requirePlatform(args.platforms));
  const runtime = refusing(() => missingRuntime(home, args));
  checkFolders([home.root, home.releases, home.downloads, home.state, ...(runtime ? [home.runtimes] : [])]);
  checkExecutable(home, args.runtime, runtime);
  checkSpace(home, args.size, runtime?.size ?? 0);
  if (versionAt(home.current) !== version) {
    throw new Refusal(
      'no_way_back',
      `current names ${versionAt(home.current)}, but ${version} runs: restart the agent`,
    );
  }
}

/** The runtime that is here; of one that is still to be fetched, a file in its place. */
function checkExecutable(home: Home, runtime: string, missing: Wanted | undefined): void {
  const node = join(home.runtime(runtimeName(runtime)), 'bin', 'node');
  const file = missing ? join(home.runtimes, '.executable') : node;
  try {
    if (missing) writeFileSync(file, '', { mode: 0o755 });
    accessSync(file, constants.X_OK); // says EACCES on a file system mounted noexec, too
  } catch {
    throw new Refusal('noexec', `${node} may not be executed: is ${home.runtimes} mounted noexec?`);
  } finally {
    if (missing) rmSync(file, { force: true });
  }
}

function checkFolders(folders: string[]): void {
  for (const folder of folders) {
    const probe = join(folder, '.writable');
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      writeFileSync(probe, 'x', { mode: 0o600 });
      unlinkSync(probe);
    } catch (error) {
      if (codeOf(error) === 'ENOSPC')
        throw new Refusal('disk_full', `no space left for ${folder}: free some`);
      throw new Refusal(
        'not_writable',
        `${folder} cannot be written (${codeOf(error)}): see its owner, mode and mount`,
      );
    }
  }
}

/** The archives and what they unpack to; folders on the same disk share what is free there. */
function checkSpace(home: Home, release: number, runtime: number): void {
  const needs: [folder: string, bytes: number][] = [
    [home.downloads, release + runtime],
    [home.releases, release * RELEASE_UNPACKED],
    ...(runtime > 0 ? [[home.runtimes, runtime * RUNTIME_UNPACKED] satisfies [string, number]] : []),
  ];
  const device = (folder: string) => statSync(folder).dev;
  for (const [folder] of needs) {
    const { bavail, bsize } = statfsSync(folder);
    const onIt = needs.filter(([other]) => device(other) === device(folder));
    const need = onIt.reduce((sum, [, bytes]) => sum + bytes, SPACE_RESERVE);
    if (bavail * bsize >= need) continue;
    const have = formatSize(bavail * bsize);
    throw new Refusal('disk_full', `${folder} has ${have} free, ${formatSize(need)} are needed: free some`);
  }
}

function refusing<T>(look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw new Refusal(codeOf(error), describe(error));
  }
}
