import type { Phase, Progress, Result } from '../lib/messages.ts';

/**
 * The states of a task, and how what an agent says moves it. Pure.
 *
 * States only move forward. Evidence may come out of order (an `accepted` before the broker's confirm, two
 * dispatchers reading side by side), so each thing said bears a sequence number and only newer news count.
 * `expired` and `lost` are guesses of ours; a result that comes after all overwrites them and is marked late.
 */
export const OPEN_STATES = ['pending', 'queued', 'accepted', 'running', 'cancelling'] as const;
export const GOOD_STATES = ['succeeded', 'skipped'] as const;
export const GUESSED_STATES = ['expired', 'lost'] as const;
/** The host has said nothing, or nothing more. */
export const UNANSWERED_STATES = ['lost', 'expired', 'undeliverable'] as const;
/** What counts against the errors that a job bears; `cancelled` is no error. */
export const ERROR_STATES = [
  ...(['failed', 'timed_out', 'rejected', 'interrupted'] as const),
  ...UNANSWERED_STATES,
];
/** A failed upgrade that ends in one of these is told as what it was: a version that had to be gone back from. */
export const BACK_PHASES = ['rolled_back', 'rollback_failed'] as const;

export type OpenState = (typeof OPEN_STATES)[number];
export type TaskState = OpenState | Result['state'] | 'expired' | 'undeliverable' | 'lost' | 'skipped';

export type TaskNow = {
  id: string;
  host: string;
  type: string;
  state: TaskState;
  seq: number;
  args: Record<string, unknown>;
  probeNonce: string | null;
};

export type Change = {
  state: TaskState;
  seq: number;
  phase: Phase | null;
  reason: string | null;
  late: boolean;
  result: Result | null;
};

const ORDER: readonly TaskState[] = OPEN_STATES;

/** What becomes of a task when its agent has said this; undefined when it changes nothing. */
export function advance(task: TaskNow, said: Progress | Result): Change | undefined {
  if (said.seq <= task.seq) return undefined;
  const open = isOpen(task.state);
  // Cancelled without a word of the host is a guess like these.
  const unheard = task.state === 'cancelled' && task.seq === 0;
  const guessed = unheard || (GUESSED_STATES as readonly string[]).includes(task.state);
  const common = { seq: said.seq, phase: said.phase ?? null, reason: said.reason ?? null };
  if (said.kind === 'progress') {
    if (!open) return undefined;
    const state = ORDER.indexOf(said.state) > ORDER.indexOf(task.state) ? said.state : task.state;
    return { ...common, state, late: false, result: null };
  }
  if (!open && !guessed) return undefined;
  const doubt = said.state === 'succeeded' ? unproved(task, said) : undefined;
  const end = doubt
    ? { state: 'failed' as const, reason: doubt }
    : { state: said.state, reason: common.reason };
  return { ...common, ...end, late: guessed, result: said };
}

export function isOpen(state: TaskState): boolean {
  return (OPEN_STATES as readonly string[]).includes(state);
}

/** I3: an upgrade is believed only with the answer to the probe that we sent through the host's own queue. */
function unproved(task: TaskNow, said: Result): string | undefined {
  if (task.type !== 'client_upgrade') return undefined;
  const proof = said.proof;
  if (!proof || !task.probeNonce || proof.nonce !== task.probeNonce)
    return 'unproved: no answer to our probe';
  if (proof.version !== task.args.to) return `unproved: the probe was answered by ${proof.version}`;
  return undefined;
}
