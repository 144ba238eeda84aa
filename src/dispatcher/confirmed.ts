import type { Conn } from '../lib/conn.ts';
import { markQueued } from './store/due.ts';

/** A host that is there has answered by then, and its task is further than `queued`. */
const WAIT_MS = 1_500;

/**
 * Orders that the broker has confirmed, to be written down as `queued` together and not before their hosts had a moment
 * to answer: most of them need no such word then, which would cost the database as much as the result itself. Until it
 * is written the lease keeps the order from being sent again; a dispatcher that dies with it sends it again after
 * that, and the host knows the order (I1).
 */
export class Confirmed {
  #db: Conn;
  #waiting: { ids: string[]; at: number }[] = [];

  constructor(db: Conn) {
    this.#db = db;
  }

  note(ids: string[]): void {
    if (ids.length > 0) this.#waiting.push({ ids, at: performance.now() });
  }

  /** Writes down what has waited for long enough; on an error it is kept for the next time. */
  async flush(waitMs = WAIT_MS): Promise<void> {
    const due = this.#waiting.filter((one) => performance.now() - one.at >= waitMs);
    for (const one of due) {
      await markQueued(this.#db, one.ids);
      this.#waiting = this.#waiting.filter((other) => other !== one);
    }
  }
}
