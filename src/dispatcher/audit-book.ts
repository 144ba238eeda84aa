import type { Conn } from '../lib/conn.ts';
import { UnavailableError } from '../lib/errors.ts';
import type { Link } from './chain.ts';
import { addAudit, type NewAuditEntry } from './store/audit.ts';

/** Rows a commit. */
const BATCH = 100;

type Waiting = { entry: NewAuditEntry; written: PromiseWithResolvers<Link> };

/**
 * Adds rows to the audit. The chain lets one writer in at a time, so what is to be written while a commit is under way
 * goes into the next one together: else those who change much at once would wait for each other's disk.
 */
export class AuditBook {
  #db: Conn;
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(db: Conn) {
    this.#db = db;
  }

  /** Resolves once the row is committed. */
  write(entry: NewAuditEntry): Promise<Link> {
    const written = Promise.withResolvers<Link>();
    this.#waiting.push({ entry, written });
    if (!this.#writing) void this.#writeAll();
    return written.promise;
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    await Promise.resolve(); // lets what has arrived together gather
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, BATCH));
    this.#writing = false; // in the same breath as the last look: nothing can come in between
  }

  /** Never rejects: those who wait are told. */
  async #commit(batch: Waiting[]): Promise<void> {
    try {
      const entries = batch.map((one) => one.entry);
      for (const [i, link] of (await addAudit(this.#db, entries)).entries()) batch[i]!.written.resolve(link);
    } catch (error) {
      const alone = batch.length === 1 || error instanceof UnavailableError;
      if (alone) for (const { written } of batch) written.reject(error);
      else for (const one of batch) await this.#commit([one]); // the fault of one is not to stop the others
    }
  }
}
