import { formatDuration, sleep } from '../../lib/utils.ts';
import type { Room } from '../room.ts';

const LOOK_MS = 200;

/**
 * Waits for scripts that run, up to the host's limit. They outlive the upgrade, if it comes to that; but a team's own tasks
 * do not, and of a release that goes the scripts go along.
 */
export async function scriptsEnded(
  room: Room,
  say: (reason: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const limitMs = room.config.scriptWaitMs;
  const until = performance.now() + limitMs;
  let told = 0;
  for (;;) {
    const running = room.scriptsRunning();
    if (running === 0 || performance.now() >= until) return;
    if (running !== told)
      say(`scripts still run here: ${running}; waiting up to ${formatDuration(limitMs)} for them`);
    told = running;
    await sleep(LOOK_MS, signal);
  }
}
