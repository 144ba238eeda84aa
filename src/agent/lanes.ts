import type { Entry } from './journal.ts';
import type { Lane } from './tasks/task.ts';

type Track = { most: number; running: Set<string>; waiting: Entry[] };

/** Who runs and who waits, in each lane: pure bookkeeping. Tasks of a lane begin in the order in which they came. */
export class Lanes {
  #tracks: Record<Lane, Track>;

  constructor(scripts: number) {
    const track = (most: number): Track => ({ most, running: new Set(), waiting: [] });
    this.#tracks = { control: track(Number.POSITIVE_INFINITY), exclusive: track(1), script: track(scripts) };
  }

  isFree(lane: Lane): boolean {
    const { most, running, waiting } = this.#tracks[lane];
    return running.size < most && waiting.length === 0;
  }

  running(lane: Lane): number {
    return this.#tracks[lane].running.size;
  }

  wait(lane: Lane, entry: Entry): void {
    this.#tracks[lane].waiting.push(entry);
  }

  /** The next that may begin, which is running from then on. */
  next(lane: Lane): Entry | undefined {
    const { most, running, waiting } = this.#tracks[lane];
    if (running.size >= most) return undefined;
    const entry = waiting.shift();
    if (entry) running.add(entry.order.task);
    return entry;
  }

  /** One that was under way before us goes on, however many there are. */
  enter(lane: Lane, task: string): void {
    this.#tracks[lane].running.add(task);
  }

  leave(lane: Lane, task: string): void {
    this.#tracks[lane].running.delete(task);
  }

  /** A task that waits, and does no more. */
  take(task: string): Entry | undefined {
    for (const { waiting } of Object.values(this.#tracks)) {
      const at = waiting.findIndex((one) => one.order.task === task);
      if (at >= 0) return waiting.splice(at, 1)[0];
    }
    return undefined;
  }

  forgetWaiting(): void {
    for (const track of Object.values(this.#tracks)) track.waiting = [];
  }
}
