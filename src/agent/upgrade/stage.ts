import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { linkDurably, readIfThere, writeDurably } from '../../lib/files.ts';
import { type Home, releaseLink, versionAt } from '../../lib/home.ts';
import type { UpgradeArgs } from '../../lib/messages.ts';
import { stageRelease, sweepReleases } from '../../lib/release.ts';
import { stageRuntime, sweepRuntimes } from '../../lib/runtime.ts';
import { namingFullDisk } from './disk.ts';
import { selfTest } from './selftest.ts';
import { openTrial } from './trial.ts';

/** What an upgrade fetches: the release, and its runtime where this host does not have that. */
export type Files = { release: string; runtime: string | undefined };

/** Puts runtime and release in their places, and lets the release show that it starts, before anything is switched. */
export async function stage(home: Home, files: Files, args: UpgradeArgs, signal: AbortSignal): Promise<void> {
  const { release, runtime } = files;
  if (runtime) await namingFullDisk(home.runtimes, () => stageRuntime(home, runtime, args.runtime));
  signal.throwIfAborted();
  await namingFullDisk(home.releases, () => stageRelease(home, release, args.to));
  signal.throwIfAborted();
  await selfTest(home, args.to, signal);
}

/**
 * Opens the trial, then swaps. `previous` first, so that the loader has a second word for the way back; then the
 * trial, durable, so that no power loss can leave the new release without one; `current` last.
 */
export function switchOver(home: Home, task: string, from: string, args: UpgradeArgs): void {
  linkDurably(releaseLink(from), home.previous);
  openTrial(home, task, from, args.to, args.trial);
  linkDurably(releaseLink(args.to), home.current);
}

/**
 * After success: what neither `current` nor `previous` names goes, and the loader is brought up to date, unless it is
 * root's: what root runs, an unprivileged agent does not write.
 */
export function tidy(home: Home, version: string): void {
  const previous = versionAt(home.previous);
  sweepReleases(home, previous ? [version, previous] : [version]);
  sweepRuntimes(home); // after the releases, which name what stays
  if (!mayWrite(dirname(home.loader))) return;
  const fresh = join(home.release(version), 'loader.sh');
  if (existsSync(fresh) && readIfThere(home.loader) !== readFileSync(fresh, 'utf8')) {
    // A new file under the old name: the loader that runs reads on in its own, and the next start takes the new.
    writeDurably(home.loader, readFileSync(fresh, 'utf8'), 0o755);
  }
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Removes a release that is neither run nor to be gone back to, and the runtime that came with it. */
export function discard(home: Home, version: string): void {
  const kept = [versionAt(home.current), versionAt(home.previous)].filter((one) => one !== undefined);
  if (!kept.includes(version)) sweepReleases(home, kept);
  try {
    sweepRuntimes(home);
  } catch {
    // The next upgrade sweeps again; why this one ended must not be lost over it.
  }
}
