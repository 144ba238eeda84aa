import type { Task, TaskEvent } from '../answers.ts';
import { isOpen, kindOf } from './states.ts';

/** How far a host has come, and since when it has been there. */
export type Standing = {
  host: string;
  label: string;
  reason: string | null;
  failed: boolean;
  /** In ms since 1970. */
  since: number;
};

/** These say by themselves how it ended. */
const LAST_PHASES = new Set(['rolled_back', 'rollback_failed', 'postponed']);

/** One word or two for a state with its phase: `downloading`, `completed`, `rolled_back`, `failed in staging`. */
export function labelOf(state: string, phase: string | null): string {
  if (phase === null || state === 'pending' || state === 'queued' || state === 'cancelling') return state;
  if (isOpen(state) || state === 'succeeded') return phase;
  if (LAST_PHASES.has(phase)) return phase;
  return phase === 'completed' ? state : `${state} in ${phase}`;
}

type Followed = { seq: number; label: string };

/**
 * Turns looks at a job's tasks into changes, each told once, at the time that the dispatchers wrote down. Between two
 * looks a host may pass several phases; its events tell of all of them. A host that tries again has another task.
 */
export class Tracker {
  readonly standings = new Map<string, Standing>();
  #followed = new Map<string, Followed>();

  update(tasks: Task[], now = Date.now()): Standing[] {
    const inOrder = tasks.toSorted((a, b) => (a.tries ?? 1) - (b.tries ?? 1));
    return inOrder.flatMap((task) => this.#changesOf(task, now)).toSorted((a, b) => a.since - b.since);
  }

  #changesOf(task: Task, now: number): Standing[] {
    const followed = this.#followed.get(task.id) ?? { seq: 0, label: '' };
    this.#followed.set(task.id, followed);
    const changes: Standing[] = [];
    const enter = (state: string, phase: string | null, reason: string | null, since: number) => {
      const label = labelOf(state, phase);
      if (followed.label === label) return;
      followed.label = label;
      const kind = kindOf(state);
      const failed = kind === 'bad' || kind === 'cancelled';
      const standing = { host: task.host, label, reason, failed, since };
      this.standings.set(task.host, standing);
      changes.push(standing);
    };
    for (const one of task.events.filter(({ seq }) => seq > followed.seq)) {
      enter(one.state, one.phase, one.reason, timeOf(one));
      followed.seq = one.seq;
    }
    // States that the dispatcher gives: queued, expired, lost, cancelled, or a success without its proof. While the
    // task is under way its host's own words are the newer ones: the row was read before them.
    const hostSpeaks = followed.seq > 0 && (task.state === 'accepted' || task.state === 'running');
    if (!hostSpeaks) enter(task.state, task.phase, task.reason, enteredAt(task) ?? now);
    return changes;
  }
}

/** The dispatchers' clock; the host's own where they do not tell. */
const timeOf = ({ recordedAt, agentMs }: TaskEvent) =>
  recordedAt === undefined ? agentMs : Date.parse(recordedAt);

/** When a task came into the state that it is in; undefined where nobody wrote it down. */
function enteredAt(task: Task): number | undefined {
  const { state, createdAt, queuedAt, acceptedAt, startedAt, finishedAt } = task;
  const ofOpen = { pending: createdAt, queued: queuedAt, accepted: acceptedAt, running: startedAt };
  const at = isOpen(state) ? ofOpen[state as keyof typeof ofOpen] : finishedAt;
  return at === null || at === undefined ? undefined : Date.parse(at);
}
