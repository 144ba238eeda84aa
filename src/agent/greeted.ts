import { rmSync } from 'node:fs';
import { writeDurably } from '../lib/files.ts';
import type { Home } from '../lib/home.ts';

/**
 * The sign that a dispatcher has answered the hello of the process that runs now: its pid in `state/greeted`, which
 * `mega_client wait` compares with the loader's own word. The sign of a process before is taken away first, since
 * pids come again.
 */
export function forgetGreeting(home: Home): void {
  rmSync(home.greeted, { force: true });
}

export function rememberGreeting(home: Home): void {
  writeDurably(home.greeted, `${process.pid}\n`);
}
