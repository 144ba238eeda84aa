import { execFile } from 'node:child_process';
import { rmdirSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { unlessMissing } from '../../lib/files.ts';

const LIMIT_MS = 60_000;

/**
 * Removes the folder in which a script worked. What is in it is removed in the name of whoever owns it: he could
 * otherwise put a link in a file's place at the right moment, and have us remove what is not his. What stays, because
 * something still writes there, goes with a later sweep.
 */
export async function clearWork(work: string): Promise<void> {
  const owner = unlessMissing(() => statSync(work));
  if (owner === undefined) return;
  const { uid, gid } = owner;
  const user = uid === process.getuid?.() ? {} : { uid, gid };
  const options = { ...user, timeout: LIMIT_MS, cwd: '/', env: { PATH: '/usr/bin:/bin' } };
  // The folder itself stays to him: it lies in one that is ours.
  await promisify(execFile)('rm', ['-rf', '--', work], options).catch(() => undefined);
  try {
    rmdirSync(work);
  } catch {
    // Gone already, or to be swept later.
  }
}
