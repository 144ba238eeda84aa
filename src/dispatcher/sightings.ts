import type { Conn } from '../lib/conn.ts';
import type { Heartbeat } from '../lib/messages.ts';
import { markSeen, type Sighting, setProcess, unlikeKnown } from './store/hosts.ts';

/** Rows a statement. */
const BATCH = 1_000;

/**
 * Which hosts were heard, written down together now and then: of ten thousand hosts that beat every twenty seconds,
 * a commit for each beat would keep the database's disk busy with nothing else. Only the newest word of a host counts,
 * and one that is lost with this process is followed by the next.
 *
 * What a host runs it says in its hello, which is written down before it is answered. A beat that says otherwise may
 * be the last one of a process that is gone, so it counts only when the next one says the same.
 */
export class Sightings {
  #db: Conn;
  #seen = new Map<string, Heartbeat>();
  #since = Date.now();
  /** The processes that beats told of, and that were not the ones we know. */
  #doubtful = new Map<string, string>();

  constructor(db: Conn) {
    this.#db = db;
  }

  note(beat: Heartbeat): void {
    this.#seen.set(beat.host, beat);
  }

  /** For how long all that was heard has been written down, in ms; to the store hosts are silent before that. */
  get steadyMs(): number {
    return Date.now() - this.#since;
  }

  /** Writes down what was heard since; on an error it is kept for the next time. */
  async flush(): Promise<void> {
    const seen = this.#seen;
    this.#seen = new Map();
    try {
      const beats = [...seen.values()];
      for (let at = 0; at < beats.length; at += BATCH) {
        await this.#write(beats.slice(at, at + BATCH));
      }
    } catch (error) {
      this.#since = Date.now();
      this.#seen = new Map([...seen, ...this.#seen]);
      throw error;
    }
  }

  async #write(beats: Sighting[]): Promise<void> {
    const hosts = beats.map((one) => one.host);
    await this.#db.transaction((db) => markSeen(db, hosts));
    const unlike = await unlikeKnown(this.#db, beats);
    for (const one of unlike.filter(({ host, boot }) => this.#doubtful.get(host) === boot)) {
      await setProcess(this.#db, one);
    }
    for (const host of hosts) this.#doubtful.delete(host);
    for (const { host, boot } of unlike) this.#doubtful.set(host, boot);
  }
}
