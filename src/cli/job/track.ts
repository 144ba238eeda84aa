import type { Task } from '../answers.ts';

/** How far a host has come, and since when it has been there. */
export type Standing = {
  host: string;
  label: string;
  reason: string | null;
  failed: boolean;
  /** In ms since 1970. */
  since: number;
};

const GOOD = new Set(['succeeded', 'skipped']);
const OPEN = new Set(['pending', 'queued', 'accepted', 'running', 'cancelling']);
/** These say by themselves how it ended. */
const LAST_PHASES = new Set(['rolled_back', 'rollback_failed', 'postponed']);

/** One word or two for a state with its phase: `downloading`, `completed`, `rolled_back`, `failed in staging`. */
export function labelOf(state: string, phase: string | null): string {
  if (phase === null || state === 'pending' || state === 'queued' || state === 'cancelling') return state;
  if (OPEN.has(state) || state === 'succeeded') return phase;
  if (LAST_PHASES.has(phase)) return phase;
  return phase === 'completed' ? state : `${state} in ${phase}`;
}

/**
 * Turns looks at a job's tasks into changes, each told once. Between two looks a host may pass several phases;
 * its events tell of all of them.
 */
export class Tracker {
  readonly standings = new Map<string, Standing>();
  #seen = new Map<string, number>();
  #looked = false;

  update(tasks: Task[], now = Date.now()): Standing[] {
    const changes = tasks.flatMap((task) => this.#changesOf(task, now));
    this.#looked = true;
    return changes.toSorted((a, b) => a.since - b.since);
  }

  #changesOf(task: Task, now: number): Standing[] {
    const seen = this.#seen.get(task.host) ?? 0;
    const changes: Standing[] = [];
    const enter = (state: string, phase: string | null, reason: string | null, since: number) => {
      const label = labelOf(state, phase);
      if (this.standings.get(task.host)?.label === label) return;
      const failed = !OPEN.has(state) && !GOOD.has(state);
      const standing = { host: task.host, label, reason, failed, since };
      this.standings.set(task.host, standing);
      changes.push(standing);
    };
    for (const one of task.events.filter(({ seq }) => seq > seen)) {
      // Of what was before the first look, only the host's own clock tells when; ours is the better one.
      enter(one.state, one.phase, one.reason, this.#looked ? now : one.agentMs);
      this.#seen.set(task.host, one.seq);
    }
    // States that the dispatcher gives: queued, expired, lost, cancelled, or a success without its proof. While the
    // task is under way its host's own words are the newer ones: the row was read before them.
    const hostSpeaks = this.#seen.has(task.host) && (task.state === 'accepted' || task.state === 'running');
    if (!hostSpeaks) enter(task.state, task.phase, task.reason, now);
    return changes;
  }
}
