import { describe, UnavailableError } from '../../lib/errors.ts';
import { hashPassword } from '../../lib/management.ts';
import { sleep } from '../../lib/utils.ts';
import { faultPoint } from '../fault.ts';
import type { Secret } from '../secret.ts';
import type { Run, TaskType } from './task.ts';

const AGAIN_MS = 1_000;

/**
 * Exchanges this host's secret in the broker. In every step of it, and between them, the host gets in with one of the
 * two that are on its disk; see Secret. Connections stay, so that nothing under way is disturbed.
 */
export function rotateSecret(secret: Secret): TaskType {
  return {
    name: 'rotate_secret',
    lane: 'exclusive',
    onCrash: 'resume',
    run: async (run) => {
      const { room, entry } = run;
      // A process before us has made one, and it is gone: it became the secret.
      const isTaken = entry.facts.made === true && secret.next === undefined;
      if (!isTaken) {
        const next = secret.makeNext();
        faultPoint(room.home, 'rotate:made');
        room.journal.remember(entry.order.task, { made: true });
        faultPoint(room.home, 'rotate:noted');
        await tell(run, next);
        faultPoint(room.home, 'rotate:told');
        secret.takeNext();
        faultPoint(room.home, 'rotate:taken');
      }
      return { state: 'succeeded' };
    },
  };
}

/** Asks until the dispatcher has answered, which it may do twice: the second time changes nothing. */
async function tell({ room, signal }: Run, next: string): Promise<void> {
  for (;;) {
    try {
      await room.call('set_secret', { passwordHash: hashPassword(next) });
      return;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      room.logger.warn({ error: describe(error) }, 'the next secret is not told yet');
      await sleep(AGAIN_MS * (0.5 + Math.random()), signal);
    }
  }
}
