import { readFileSync, unlinkSync } from 'node:fs';
import type { Home } from '../lib/home.ts';

/**
 * Fault points, for the tests that kill the agent at the entry and exit of every phase: a line such as
 * `staging:exit agent` or `staging:exit both` in `state/fault` kills this process (and its loader) there, once.
 */
export function faultPoint(home: Home, point: string): void {
  let wanted: string;
  try {
    wanted = readFileSync(home.fault, 'utf8').trim();
  } catch {
    return;
  }
  const [where, who] = wanted.split(' ');
  if (where !== point) return;
  unlinkSync(home.fault);
  if (who === 'both') process.kill(process.ppid, 'SIGKILL');
  process.kill(process.pid, 'SIGKILL');
}
