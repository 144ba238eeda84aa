import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe } from '../../lib/errors.ts';
import type { Home } from '../../lib/home.ts';
import { Refusal } from './refusal.ts';

const TIMEOUT_MS = 60_000;

/** Executables in `etc/preflight.d`, in order of name; one that does not exit 0 postpones the upgrade. */
export async function runHooks(home: Home, signal: AbortSignal, timeoutMs = TIMEOUT_MS): Promise<void> {
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
