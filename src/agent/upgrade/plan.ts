import type { Phase } from '../../lib/messages.ts';
import type { Facts } from './facts.ts';
import type { OpenTrial } from './trial.ts';

/**
 * What to do next with an upgrade, from what the journal says and what is on disk. Pure: every step may be the
 * first that a new process takes after kill -9 or power loss.
 *
 *     prepare: preflight → downloading → verifying → staging
 *     switch:  switching → restarting          (the old process ends here)
 *     watch:   watching → completed            (the new process)
 *     judge:   rolling_back → rolled_back | waiting_for_broker → switch again   (the previous process)
 */
export type Step =
  | { do: 'prepare' }
  | { do: 'switch' }
  | { do: 'watch' }
  | { do: 'complete' }
  | { do: 'judge'; verdict: string };

export type Ground = {
  task: string;
  phase: Phase | null;
  /** The release that this process is, and the one that the task wants. */
  me: string;
  to: string;
  facts: Facts;
  trial: OpenTrial | undefined;
  failed: OpenTrial | undefined;
};

const PREPARING: readonly (Phase | null)[] = [null, 'preflight', 'downloading', 'verifying', 'staging'];

export function nextStep(ground: Ground): Step {
  const { phase, me, to, facts, task } = ground;
  if (PREPARING.includes(phase)) return { do: 'prepare' };
  if (me === to) {
    if (facts.proof) return { do: 'complete' };
    if (ground.failed && !ground.trial) return { do: 'judge', verdict: verdictOf(ground.failed) };
    return { do: 'watch' };
  }
  const failed = ground.failed && ours(ground.failed, task) ? ground.failed : undefined;
  if (facts.verdict) return { do: 'judge', verdict: facts.verdict };
  if (failed && !(phase === 'switching' && failed.verdict === 'not_switched')) {
    return { do: 'judge', verdict: verdictOf(failed) };
  }
  if (phase === 'switching') return { do: 'switch' };
  return { do: 'judge', verdict: 'lost: the loader left no word of why it went back' };
}

/** An unreadable trial has lost its task's id; there is only one trial at a time. */
const ours = (trial: OpenTrial, task: string) => trial.task === task || trial.task === 'unknown';

/** On a full disk the loader may have had no room for its word; then the new release counts as silent. */
const verdictOf = (failed: OpenTrial) => failed.verdict || 'silent';
