import type { Entry } from '../journal.ts';
import type { Room } from '../room.ts';
import type { Word } from '../said.ts';

/** How a task ended, as its result tells it. `restarting`: it goes on in the next process. */
export type End = Word | 'restarting';

export type Run = {
  room: Room;
  entry: Entry;
  /** Aborted at the task's time limit, and when it is cancelled. */
  signal: AbortSignal;
};

export type TaskType = {
  name: string;
  /** `control` runs at once, `exclusive` one at a time. */
  lane: 'control' | 'exclusive';
  /**
   * What a crash of the agent in mid run means; nothing that has an effect is ever simply run again. `again` is for
   * what changes nothing: it needs no journal, since its order stays with the broker until the answer is there.
   */
  onCrash: 'resume' | 'interrupted' | 'again';
  run(run: Run): Promise<End>;
};
