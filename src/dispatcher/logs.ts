import { codeOf, describe, UnavailableError } from '../lib/errors.ts';
import { type LogBatch, type LogLine, logBatch } from '../lib/log-lines.ts';
import { decode } from '../lib/messages.ts';
import { type Incoming, Subscription } from '../lib/subscription.ts';
import { QUEUE } from '../lib/topology.ts';
import { sleep } from '../lib/utils.ts';
import type { Context } from './context.ts';
import { park } from './park.ts';
import { addLogs, removeLogs } from './store/logs.ts';

const PREFETCH = 20;
/** Batches of one commit. */
const BATCHES = 5;
const RETRY_MS = 1_000;
const ROWS_A_DELETE = 5_000;
/** What is old is removed a little at a time, so that nobody waits for it. */
const DELETES_A_ROUND = 20;

type Held = { message: Incoming; batch: LogBatch };

/**
 * Keeps what `mega.logs` brings: committed first, then acknowledged. While the database is away it holds what it has and the
 * broker keeps the rest, up to the queue's bound; the oldest lines are lost then, and nothing else is.
 */
export class LogKeeper {
  #context: Context;
  #held: Held[] = [];
  #keeping: Promise<void> | undefined;
  #stop = new AbortController();
  #subscription: Subscription;

  constructor(context: Context) {
    this.#context = context;
    const { consumer, logger } = context;
    const options = {
      queue: QUEUE.logs,
      prefetch: PREFETCH,
      onOpen: () => {
        this.#held = [];
      },
      onTrouble: (error: Error) => logger.warn({ queue: QUEUE.logs, error: describe(error) }, 'not reading'),
    };
    this.#subscription = new Subscription(consumer, options, (message) => this.#take(message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    await this.#subscription.close();
    await this.#keeping;
  }

  #take(message: Incoming): void {
    if (this.#context.floods.drops(message, 'messages')) {
      message.ack();
      return;
    }
    try {
      const batch = decode(logBatch, message.body);
      if (message.userId !== batch.host)
        throw new Error(`${message.userId || 'an unnamed user'} speaks as ${batch.host}`);
      this.#held.push({ message, batch: toldOfDropped(batch) });
    } catch (error) {
      this.#context.floods.noteUnread(message);
      void park(this.#context, message, describe(error));
      return;
    }
    this.#keeping ??= this.#keep().finally(() => {
      this.#keeping = undefined;
    });
  }

  async #keep(): Promise<void> {
    await Promise.resolve(); // lets what has arrived together gather
    while (this.#held.length > 0 && !this.#stop.signal.aborted) {
      const next = this.#held.slice(0, BATCHES);
      try {
        await this.#write(next);
        this.#held = this.#held.filter((one) => !next.includes(one));
      } catch (error) {
        this.#context.logger.warn({ error: describe(error) }, 'log lines are not kept yet');
        await sleep(RETRY_MS, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  /** What the database refuses for what it says is parked, and stops nobody else's. */
  async #write(next: Held[]): Promise<void> {
    try {
      await this.#context.db.transaction((db) =>
        addLogs(
          db,
          next.map((one) => one.batch),
        ),
      );
      for (const { message } of next) message.ack();
    } catch (error) {
      if (error instanceof UnavailableError || codeOf(error) !== 'bad_data') throw error;
      if (next.length > 1) for (const one of next) await this.#write([one]);
      else await park(this.#context, next[0]!.message, `not kept: ${describe(error)}`);
    }
  }
}

/** Where the host had no room for lines, one says so in their place. */
function toldOfDropped(batch: LogBatch): LogBatch {
  if (batch.dropped === 0) return batch;
  const at = batch.lines[0]?.at ?? Date.now();
  const text = `${batch.dropped} log lines are missing here: the host had no room for them`;
  const line: LogLine = { at, level: 'warn', text };
  return { ...batch, lines: [line, ...batch.lines] };
}

/** One round of removing what is kept for longer than it should be. */
export async function removeOldLogs({ db, config }: Context): Promise<void> {
  for (let i = 0; i < DELETES_A_ROUND; i++) {
    if (!(await removeLogs(db, config.logKeepMs, ROWS_A_DELETE))) return;
  }
}
