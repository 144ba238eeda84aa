import type { Conn } from '../lib/conn.ts';
import { UnavailableError } from '../lib/errors.ts';
import { sleep } from '../lib/utils.ts';
import { lookAtHosts, runningOther } from './store/catchup.ts';
import { type HelloSaid, markHellos } from './store/hosts.ts';
import { cancellingOf } from './store/tasks.ts';

/** Hellos a statement. */
const BATCH = 500;
/** From one write to the next: ten thousand hosts that come back in half a minute are twenty commits a second. */
const PAUSE_MS = 50;

type Waiting = {
  hello: HelloSaid;
  /** With the tasks that the host should know are to be cancelled. */
  resolve: (cancelling: string[]) => void;
  reject: (error: unknown) => void;
};

/**
 * Hellos, written down together: hosts come back in thousands, and a commit for each would keep the database's disk busy
 * with nothing else. Whoever comes alone is written down at once; who comes within `PAUSE_MS` of the last write goes
 * with the next one.
 *
 * INVARIANTS
 * - What a host runs is written down before its hello is answered: each one resolves after its row was committed.
 * - Of a host that said hello twice meanwhile the later word counts, and both are answered.
 * - One that the database refuses fails alone; a database that is away fails all, and their hosts ask again.
 */
export class Greetings {
  #db: Conn;
  /** From a hello of another version until it is believed: one of a process that is gone may come late. */
  #settleMs: number;
  #waiting: Waiting[] = [];
  #isWriting = false;
  #wroteAt = Number.NEGATIVE_INFINITY;

  constructor(db: Conn, settleMs: number) {
    this.#db = db;
    this.#settleMs = settleMs;
  }

  /** Resolves once it is written down, to the tasks of this host that are being cancelled. */
  greet(hello: HelloSaid): Promise<string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    this.#waiting.push({ hello, resolve, reject });
    if (!this.#isWriting) void this.#writeAll();
    return promise;
  }

  /** Never rejects: what goes wrong is told to those whom it concerns. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      await sleep(Math.max(0, this.#wroteAt + PAUSE_MS - performance.now())); // lets what arrives together gather
      this.#wroteAt = performance.now();
      await this.#write(this.#waiting.splice(0, BATCH));
    }
    this.#isWriting = false;
  }

  async #write(batch: Waiting[]): Promise<void> {
    try {
      const latest = new Map(batch.map(({ hello }) => [hello.host, hello]));
      const said = [...latest.values()];
      await this.#db.transaction(async (db) => {
        const moved = await runningOther(db, said);
        await markHellos(db, said);
        await lookAtHosts(db, moved, this.#settleMs);
      });
      const cancelling = await cancellingOf(this.#db, [...latest.keys()]);
      for (const { hello, resolve } of batch) resolve(cancelling.get(hello.host) ?? []);
    } catch (error) {
      if (batch.length === 1 || error instanceof UnavailableError)
        for (const { reject } of batch) reject(error);
      else for (const one of batch) await this.#write([one]);
    }
  }
}
