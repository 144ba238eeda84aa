import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why this machine cannot mount, for a test's `skip`; false when it can. */
export function cannotMount(): string | false {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  const folder = mkdtempSync(join(tmpdir(), 'mega-mount-'));
  try {
    mount(folder, '-t', 'tmpfs', '-o', 'size=1m', 'none')[Symbol.dispose]();
    return false;
  } catch (error) {
    return `this machine does not let us mount: ${(error as Error).message}`;
  } finally {
    rmdirSync(folder);
  }
}

/** A small disk of its own at this folder, until disposed of. */
export function smallDisk(folder: string, megabytes: number): Disposable {
  mkdirSync(folder, { recursive: true });
  return mount(folder, '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'none');
}

/** The folder mounted upon itself, with other options such as `ro` or `noexec`. */
export function remounted(folder: string, option: 'ro' | 'noexec'): Disposable {
  const mounted = mount(folder, '--bind', folder);
  run('mount', '-o', `remount,bind,${option}`, folder);
  return mounted;
}

function mount(folder: string, ...how: string[]): Disposable {
  run('mount', ...how, folder);
  return { [Symbol.dispose]: () => run('umount', '--lazy', folder) };
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Fills the disk that the folder is on, all but about `leaveBytes`; removing the file gives the space back. */
export function fill(folder: string, leaveBytes = 0): { free(): void } {
  const path = join(folder, 'filler');
  const file = openSync(path, 'a');
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(folder);
      const left = bavail * bsize - leaveBytes;
      if (left <= 0) break;
      writeSync(file, Buffer.alloc(Math.min(left, 1 << 20)));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
  return { free: () => rmSync(path) };
}
