import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Changes to files that survive kill -9 and power loss at any instant: write beside, fsync, rename, fsync the
 * folder. A reader sees the old content or the new, never a part, and after `durable*` has returned, the new.
 */
export function writeDurably(path: string, text: string, mode = 0o600): void {
  const beside = join(dirname(path), `.${basename(path)}.new`);
  const file = openSync(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, mode);
  try {
    fchmodSync(file, mode); // whatever the umask says, or the mode of what an attempt that died has left
    writeFileSync(file, text); // writes on after a part, and throws when there is no room
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  syncFolder(dirname(path));
}

/** Readable by its owner alone, and made where it is missing. */
export function makePrivate(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600)); // one that is open keeps its locks so
  chmodSync(path, 0o600);
}

/** Points the link `path` at `target` by rename; no instant at which it is missing. */
export function linkDurably(target: string, path: string): void {
  const beside = join(dirname(path), `.${basename(path)}.new`);
  removeIfThere(beside);
  symlinkSync(target, beside);
  renameSync(beside, path);
  syncFolder(dirname(path));
}

export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  syncFolder(dirname(to));
}

export function removeDurably(path: string): void {
  if (removeIfThere(path)) syncFolder(dirname(path));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}

/** A rename or a new name is on disk only once its folder is. */
export function syncFolder(path: string): void {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * Makes an unpacked folder read-only, whatever the umask, and durable before anything names it. Folders stay writable
 * for their owner, to be removable. `programs`, full paths, may be executed.
 */
export function settle(folder: string, programs: string[] = []): void {
  chmodSync(folder, 0o755);
  // Not `recursive`: that follows links to folders, here to a runtime that is in use.
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) settle(path, programs);
    if (!entry.isFile()) continue;
    chmodSync(path, programs.includes(path) ? 0o555 : 0o444);
    const file = openSync(path, constants.O_RDONLY);
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
  syncFolder(folder);
}

/** The text of a file, or undefined where there is none. */
export function readIfThere(path: string): string | undefined {
  return unlessMissing(() => readFileSync(path, 'utf8'));
}

/** What `read` returns, or undefined when it meets a missing file. */
export function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function removeIfThere(path: string): boolean {
  return (
    unlessMissing(() => {
      unlinkSync(path);
      return true;
    }) ?? false
  );
}
