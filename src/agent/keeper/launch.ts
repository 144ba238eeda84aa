import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { MegaError } from '../../lib/errors.ts';
import type { RunFolder } from './run-folder.ts';

/** Of a package beside the agent, of sources beside this file. */
const PROGRAMS = ['keeper.mjs', 'main.ts', 'main.js'];

/**
 * Starts the keeper of a run in a session of its own; it lives on when we end. Which of the two comes first its folder
 * tells; see RunFolder.
 */
export function launchKeeper(folder: RunFolder): void {
  const program = PROGRAMS.map((name) => join(import.meta.dirname, name)).find((path) => existsSync(path));
  if (!program) throw new MegaError('no_keeper', 'this release has no keeper of scripts: upgrade the host');
  const log = openSync(folder.at('keeper.log'), 'a', 0o600);
  try {
    const keeper = spawn(process.execPath, [program, folder.path], {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', 'ignore', log],
      detached: true,
    });
    keeper.on('error', () => undefined); // seen as one that never came
    keeper.unref();
  } finally {
    closeSync(log);
  }
}
