import { codeOf, describe, MegaError } from '../lib/errors.ts';
import type { Order } from '../lib/messages.ts';
import { heldBecause } from './hold.ts';
import type { Entry } from './journal.ts';
import { Lanes } from './lanes.ts';
import type { Room } from './room.ts';
import type { Word } from './said.ts';
import type { Lane, Run, TaskType } from './tasks/task.ts';
import { refusalOf } from './upgrade/refusal.ts';

const SAY_AGAIN_MS = 2_000;

/**
 * Runs what the inbox has written down, in lanes: `control` at once, `exclusive` one after the other, `script` a few at a
 * time beside them.
 *
 * accepted → running → (ended | goes on in the next process). A task found open at start was under way when the
 * process before died: its type says whether it resumes; if not, it ends as `interrupted`.
 */
export class Runner {
  #room: Room;
  #types: ReadonlyMap<string, TaskType>;
  #running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  #lanes: Lanes;
  #stopped = false;

  constructor(room: Room, types: readonly TaskType[]) {
    this.#room = room;
    this.#types = new Map(types.map((type) => [type.name, type]));
    this.#lanes = new Lanes(room.config.scriptLanes);
  }

  /** Takes up what the process before left open. */
  resume(): void {
    for (const entry of this.#room.journal.open()) {
      const type = this.#types.get(entry.order.type);
      if (entry.state !== 'running') this.take(entry);
      else if (type?.onCrash === 'resume') this.#goOn(entry, type);
      else {
        void this.#end(entry, {
          state: 'interrupted',
          reason: 'the agent died while it ran; how it ended is not known',
        });
      }
    }
  }

  #goOn(entry: Entry, type: TaskType): void {
    this.#lanes.enter(type.lane, entry.order.task);
    this.#begin(entry, type);
  }

  /** Whether a task changes nothing, so that it is answered and not written down. */
  onlyAnswers({ type }: Order): boolean {
    return this.#types.get(type)?.onCrash === 'again';
  }

  /** How such a task ended; undefined while stopping. */
  async answer(order: Order): Promise<Word | undefined> {
    const type = this.#types.get(order.type);
    if (!type || this.#stopped) return undefined;
    const signal = AbortSignal.timeout(order.timeoutMs);
    const entry: Entry = { order, state: 'running', phase: null, seq: 0, facts: {} };
    try {
      const end = await type.run({ room: this.#room, entry, signal });
      return end === 'restarting' ? undefined : end;
    } catch (error) {
      return { state: signal.aborted ? 'timed_out' : 'failed', reason: describe(error) };
    }
  }

  /** Whether a task would begin at once. */
  isFree({ type }: Order): boolean {
    const lane = this.#types.get(type)?.lane;
    if (lane === undefined || this.#stopped) return false;
    const isHeld = lane !== 'control' && heldBecause(this.#room.home) !== undefined;
    return !isHeld && this.#lanes.isFree(lane);
  }

  /** Begins a task that is in the journal, as soon as its lane is free. */
  take(entry: Entry): void {
    if (this.#stopped) return;
    const type = this.#types.get(entry.order.type);
    if (!type) {
      const known = [...this.#types.keys()].join(', ');
      void this.#end(entry, {
        state: 'rejected',
        reason: `unknown task type "${entry.order.type}"; known: ${known}`,
      });
    } else if (!this.#refusedForHold(entry, type)) {
      this.#lanes.wait(type.lane, entry);
      this.#next(type.lane);
    }
  }

  /** How many tasks of a lane are under way. */
  running(lane: Lane): number {
    return this.#lanes.running(lane);
  }

  /** Ends a waiting task; asks one that runs to stop, which it may be too far gone to do. */
  cancel(task: string): void {
    const waiting = this.#lanes.take(task);
    if (waiting) void this.#end(waiting, { state: 'cancelled', reason: 'cancelled before it began' });
    this.#running.get(task)?.abort.abort(new MegaError('cancelled', 'cancelled by an operator'));
  }

  /** Takes nothing more and waits for what is under way, `ms` at most; what is left resumes at the next start. */
  async stop(ms: number): Promise<void> {
    this.#stopped = true;
    this.#lanes.forgetWaiting();
    for (const { abort } of this.#running.values())
      abort.abort(new MegaError('stopping', 'the agent is stopping'));
    const all = Promise.all([...this.#running.values()].map((one) => one.done));
    await Promise.race([all, new Promise((resolve) => setTimeout(resolve, ms).unref())]);
  }

  /** What has begun is not touched by its owner's hold; what has not, is not begun. */
  #refusedForHold(entry: Entry, { lane }: TaskType): boolean {
    const mayBegin = lane === 'control' || entry.state !== 'accepted';
    const held = mayBegin ? undefined : heldBecause(this.#room.home);
    if (held === undefined) return false;
    void this.#end(entry, { state: 'rejected', reason: `its owner holds this host (etc/hold): ${held}` });
    return true;
  }

  #next(lane: Lane): void {
    if (this.#stopped) return;
    for (let entry = this.#lanes.next(lane); entry; entry = this.#lanes.next(lane)) {
      const type = this.#types.get(entry.order.type)!;
      if (this.#refusedForHold(entry, type)) this.#lanes.leave(lane, entry.order.task);
      else this.#begin(entry, type);
    }
  }

  #begin(entry: Entry, type: TaskType): void {
    const task = entry.order.task;
    const abort = new AbortController();
    const done = this.#run(entry, type, abort).then((ended) => {
      this.#running.delete(task);
      if (!ended) return; // it goes on in the next process, and keeps its lane
      this.#lanes.leave(type.lane, task);
      this.#next(type.lane);
    });
    this.#running.set(task, { abort, done });
  }

  /** False when the task goes on in the next process. */
  async #run(entry: Entry, type: TaskType, abort: AbortController): Promise<boolean> {
    const { journal } = this.#room;
    const { task, timeoutMs } = entry.order;
    const late = () => abort.abort(new MegaError('timed_out', `stopped at its limit of ${timeoutMs} ms`));
    const timer = setTimeout(late, Math.min(timeoutMs, 2 ** 31 - 1));
    try {
      if (entry.state === 'accepted') journal.say(task, { state: 'running' });
      const run = { room: this.#room, entry: journal.entry(task) ?? entry, signal: abort.signal };
      const end = await type.run(run);
      if (end === 'restarting') return false;
      await this.#end(entry, end);
      await this.#tidy(type, run);
    } catch (error) {
      const end = endOf(error, abort.signal);
      if (!end) return false;
      await this.#end(entry, end);
    } finally {
      clearTimeout(timer);
    }
    return true;
  }

  /** What could not be removed changes nothing about the task's end. */
  async #tidy(type: TaskType, run: Run): Promise<void> {
    try {
      await type.tidy?.(run);
    } catch (error) {
      this.#room.logger.warn(
        { type: type.name, error: describe(error) },
        'what a task has left was not removed',
      );
    }
  }

  /** On a full disk there is no room for the word: it is tried until there is, or the next process resumes. */
  async #end(entry: Entry, end: Word): Promise<void> {
    const { journal, logger } = this.#room;
    const { task, type } = entry.order;
    logger.info({ task, type, state: end.state, phase: end.phase, reason: end.reason }, 'a task ended');
    for (;;) {
      try {
        journal.say(task, end);
        return;
      } catch (error) {
        if (this.#stopped) return;
        logger.error({ task, error: describe(error) }, 'the end of a task cannot be written down yet');
        await new Promise((resolve) => setTimeout(resolve, SAY_AGAIN_MS).unref());
      }
    }
  }
}

/** Undefined while stopping: the task is still open, and the next process takes it up. */
function endOf(error: unknown, signal: AbortSignal): Word | undefined {
  const code = signal.aborted ? codeOf(signal.reason) : codeOf(error);
  const reason = describe(signal.aborted ? signal.reason : error);
  if (code === 'stopping') return undefined;
  if (code === 'timed_out' || code === 'cancelled') return { state: code, reason };
  return refusalOf(error) ?? { state: 'failed', reason };
}
