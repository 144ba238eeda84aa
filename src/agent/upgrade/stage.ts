import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MegaError } from '../../lib/errors.ts';
import { linkDurably, readIfThere, writeDurably } from '../../lib/files.ts';
import { type Home, releaseLink, versionAt } from '../../lib/home.ts';
import type { UpgradeArgs } from '../../lib/messages.ts';
import { stageRelease, sweepReleases } from '../../lib/release.ts';
import { namingFullDisk } from './disk.ts';
import { openTrial } from './trial.ts';

const SELF_TEST_MS = 30_000;

/** Puts the release in its place, and lets it show that it starts at all, before anything is switched. */
export async function stage(home: Home, file: string, args: UpgradeArgs, signal: AbortSignal): Promise<void> {
  await namingFullDisk(home.releases, () => stageRelease(home, file, args.to));
  signal.throwIfAborted();
  const folder = home.release(args.to);
  const command = [join(folder, 'runtime', 'bin', 'node'), join(folder, 'agent.mjs')] as const;
  const options = { timeout: SELF_TEST_MS, signal, cwd: home.root, killSignal: 'SIGKILL' as const };
  try {
    await promisify(execFile)(command[0], [command[1], 'self-test', '--home', home.root], options);
  } catch (error) {
    signal.throwIfAborted();
    discard(home, args.to);
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const lines = stderr.split('\n').map((line) => line.trim());
    const words = lines.find((line) => /error/i.test(line) && !line.startsWith('throw')) ?? message;
    throw new MegaError('self_test_failed', `${args.to} does not pass its own self-test: ${words}`);
  }
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

/** After success: what neither `current` nor `previous` names goes, and the loader is brought up to date. */
export function tidy(home: Home, version: string): void {
  const previous = versionAt(home.previous);
  sweepReleases(home, previous ? [version, previous] : [version]);
  const fresh = join(home.release(version), 'loader.sh');
  if (existsSync(fresh) && readIfThere(home.loader) !== readFileSync(fresh, 'utf8')) {
    // A new file under the old name: the loader that runs reads on in its own, and the next start takes the new.
    writeDurably(home.loader, readFileSync(fresh, 'utf8'), 0o755);
  }
}

/** Removes a release that is neither run nor to be gone back to. */
export function discard(home: Home, version: string): void {
  const kept = [versionAt(home.current), versionAt(home.previous)].filter((one) => one !== undefined);
  if (!kept.includes(version)) sweepReleases(home, kept);
}
