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

/** `control` runs at once, `exclusive` one at a time, `script` several beside them: `scriptLanes` of the configuration. */
export type Lane = 'control' | 'exclusive' | 'script';

export type TaskType = {
  name: string;
  lane: Lane;
  /**
   * What a crash of the agent in mid run means; nothing that has an effect is ever simply run again. `resume`: it is given
   * to the next process, where its entry in the journal, with the facts that it has remembered, tells it how far it was;
   * what else it needs to go on from there it has put on disk before. `interrupted`: it ends so. `again` is for what
   * changes nothing: it needs no journal, since its order stays with the broker until the answer is there.
   */
  onCrash: 'resume' | 'interrupted' | 'again';
  run(run: Run): Promise<End>;
  /** Removes what it has needed, once its end is in the journal; what fails of that is left to the next of its kind. */
  tidy?(run: Run): Promise<void>;
};
