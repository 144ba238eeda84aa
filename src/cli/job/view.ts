import type { JobWithCounts, Task } from '../answers.ts';
import { clean, span } from '../text.ts';
import type { Snapshot } from './follow.ts';
import { Pace, rateOf, timeLeft } from './pace.ts';
import { endedOf, total } from './states.ts';
import { labelOf, type Standing } from './track.ts';
import { wavesOf, waveUnderWay } from './waves.ts';
import { heldBy } from './words.ts';

/** What shows a job while it runs. */
export type View = {
  show(seen: Snapshot): void;
  note(text: string): void;
  /** Nothing is shown after it. */
  close(): void;
};

/** How long no host may end before that is told. */
const STILL_MS = 30_000;

/** Measures a job from look to look, and tells how fast it is and what is left. */
export class Progress {
  #pace = new Pace();

  see(job: JobWithCounts, at = performance.now()): void {
    const { wave, counts, startedAt } = waveUnderWay(job);
    const began = startedAt ?? (wave === 1 ? job.startedAt : undefined);
    const begunMs = began ? Math.max(0, Date.now() - Date.parse(began)) : undefined;
    this.#pace.see(at, wave, endedOf(counts), begunMs);
  }

  /** `103 hosts a minute, about 4 m left in this wave; 9000 hosts in 1 later wave`; undefined when nothing can be told. */
  tell(job: JobWithCounts): string | undefined {
    const waves = wavesOf(job);
    const now = waveUnderWay(job);
    const later = waves.filter(({ wave }) => wave > now.wave);
    const hosts = later.reduce((sum, one) => sum + one.hosts, 0);
    const then =
      hosts > 0 ? `${hosts} hosts in ${later.length} later wave${later.length > 1 ? 's' : ''}` : undefined;
    const parts = [this.#speed(job, now.hosts - endedOf(now.counts), hosts > 0), then];
    return parts.filter((part) => part !== undefined).join('; ') || undefined;
  }

  #speed(job: JobWithCounts, open: number, more: boolean): string | undefined {
    const { perMinute, stillMs } = this.#pace;
    if (perMinute === undefined || heldBy(job) || open === 0) return undefined;
    if (stillMs > STILL_MS && total(job.counts, 'moving') > 0)
      return `no host has ended for ${span(stillMs)}`;
    const left = timeLeft(open, perMinute);
    return left && `${rateOf(perMinute)}, ${left} left${more ? ' in this wave' : ''}`;
  }
}

/** `db-01 rolled_back: crashed` */
export function standingLine({ host, label, reason }: Pick<Standing, 'host' | 'label' | 'reason'>): string {
  return clean(`${host} ${label}${reason ? `: ${reason}` : ''}`);
}

export function failureLine({ host, state, phase, reason }: Task): string {
  return standingLine({ host, label: labelOf(state, phase), reason });
}

/** `db-01 downloading for 3 m` */
export function slowLine(task: Task, now = Date.now()): string {
  const since = task.startedAt ?? task.acceptedAt ?? task.queuedAt ?? task.createdAt;
  return clean(`${task.host} ${labelOf(task.state, task.phase)} for ${span(now - Date.parse(since))}`);
}
