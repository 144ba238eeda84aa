import type { Phase } from '../../lib/messages.ts';
import type { TaskState } from '../tasks.ts';

/** An end of a task; of an upgrade only in these phases, where they are named. */
export type Retryable = { state: TaskState; phases?: readonly Phase[] };

/** Up to here an upgrade has changed nothing on its host but files that are swept. */
const BEFORE_SWITCHING = ['preflight', 'downloading', 'verifying', 'staging'] as const;

/**
 * Which ends may be followed by another try without anybody asking: the end is known, and trying again repeats no effect.
 * So never one that was gone back from, that was interrupted, or that was lost: of a host that is silent nobody knows
 * what it did, unless the task changes nothing. A type that is not here is never tried again by itself.
 */
const RETRYABLE: Readonly<Record<string, readonly Retryable[]>> = {
  ping: [{ state: 'failed' }, { state: 'timed_out' }, { state: 'interrupted' }, { state: 'lost' }],
  client_upgrade: [
    { state: 'rejected', phases: ['postponed'] },
    { state: 'failed', phases: BEFORE_SWITCHING },
    { state: 'timed_out', phases: BEFORE_SWITCHING },
  ],
};

export const retryableEnds = (type: string): readonly Retryable[] => RETRYABLE[type] ?? [];

/** How long a task waits before it is tried again, by how often it was tried: twice as long each time, up to a day. */
export function retryPauseMs(retryAfterMs: number, tries: number): number {
  return Math.min(86_400_000, retryAfterMs * 2 ** (tries - 1));
}
