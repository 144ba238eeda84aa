import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf, describe, MegaError } from '../../lib/errors.ts';
import { type Home, versionAt } from '../../lib/home.ts';
import type { UpgradeArgs } from '../../lib/messages.ts';
import { requirePlatform, requireRuntime } from '../../lib/release.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Room } from '../room.ts';

const MAX_CLOCK_OFFSET_MS = 5 * 60_000;
const HOOK_TIMEOUT_MS = 60_000;
/** The archive, what it unpacks to, and room for the journal. */
const SPACE_FACTOR = 6;
const SPACE_RESERVE = 16 << 20;

/** The agent refuses: nothing was done. `postponed`: a check of this host's owner says not now. */
export class Refusal extends MegaError {
  readonly postponed: boolean;
  constructor(code: string, message: string, postponed = false) {
    super(code, message);
    this.postponed = postponed;
  }
}

/** Throws a {@link Refusal} that names the reason and the remedy, before anything is fetched. */
export async function preflight(
  room: Room,
  args: UpgradeArgs,
  signal: AbortSignal,
  hookTimeoutMs = HOOK_TIMEOUT_MS,
): Promise<void> {
  const { home, version, journal } = room;
  if (args.to === version) throw new Refusal('already_there', `${version} runs already`);
  if (args.expect !== null && args.expect !== version) {
    throw new Refusal('stale', `the order expects ${args.expect}, but ${version} runs: order it again`);
  }
  const skipped = journal.skipped(args.to);
  if (skipped) throw new Refusal('skipped_version', `${args.to} is on this host's skip list: ${skipped}`);
  const offset = room.clockOffsetMs();
  if (Math.abs(offset) > MAX_CLOCK_OFFSET_MS) {
    throw new Refusal('clock', `this host's clock is off by ${Math.round(offset / 1000)} s: set it first`);
  }
  refusing(() => requirePlatform(args.platforms));
  checkRuntime(home, args.runtime);
  checkFolders(home);
  checkSpace(home, args.size);
  if (versionAt(home.current) !== version) {
    throw new Refusal(
      'no_way_back',
      `current names ${versionAt(home.current)}, but ${version} runs: restart the agent`,
    );
  }
  await runHooks(home, hookTimeoutMs, signal);
}

function checkRuntime(home: Home, runtime: string): void {
  const name = refusing(() => requireRuntime(home, runtime));
  const node = join(home.runtime(name), 'bin', 'node');
  try {
    accessSync(node, constants.X_OK); // says EACCES on a file system mounted noexec, too
  } catch {
    throw new Refusal('noexec', `${node} may not be executed: is ${home.runtimes} mounted noexec?`);
  }
}

function checkFolders(home: Home): void {
  for (const folder of [home.root, home.releases, home.downloads, home.state]) {
    const probe = join(folder, '.writable');
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(probe, 'x');
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

function checkSpace(home: Home, size: number): void {
  for (const folder of [home.downloads, home.releases]) {
    const { bavail, bsize } = statfsSync(folder);
    const need = size * SPACE_FACTOR + SPACE_RESERVE;
    if (bavail * bsize < need) {
      const have = formatSize(bavail * bsize);
      throw new Refusal('disk_full', `${folder} has ${have} free, ${formatSize(need)} are needed: free some`);
    }
  }
}

/** Executables in `etc/preflight.d`, in order of name; one that does not exit 0 postpones the upgrade. */
async function runHooks(home: Home, timeoutMs: number, signal: AbortSignal): Promise<void> {
  if (!existsSync(home.preflight)) return;
  for (const name of readdirSync(home.preflight).sort()) {
    if (name.startsWith('.')) continue;
    const hook = join(home.preflight, name);
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const, // one that ignores SIGTERM would hold the upgrade for ever (I6)
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: home.root,
      signal,
    };
    await promisify(execFile)(hook, [], options).catch((error: HookError) => {
      signal.throwIfAborted();
      const late = error.killed ? `it did not end within ${timeoutMs / 1000} s` : '';
      const words = `${error.stdout ?? ''}\n${error.stderr ?? ''}`.trim().split('\n').at(-1);
      throw new Refusal(
        'postponed',
        `the check ${name} says not now: ${late || words || describe(error)}`,
        true,
      );
    });
  }
}

type HookError = { killed?: boolean; stdout?: string; stderr?: string };

function refusing<T>(look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw new Refusal(codeOf(error), describe(error));
  }
}
