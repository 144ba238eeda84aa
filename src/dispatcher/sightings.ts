import type { Conn } from '../lib/conn.ts';
import type { Goodbye, Heartbeat } from '../lib/messages.ts';
import { setOwnerHold } from './store/holds.ts';
import { knownProcesses, markGone, markSeen, type Sighting, setProcess } from './store/hosts.ts';

/** Rows a statement. */
const BATCH = 1_000;

/**
 * Which hosts were heard, written down together now and then: of ten thousand hosts that beat every twenty seconds,
 * a commit for each beat would keep the database's disk busy with nothing else. Only the newest word of a host counts,
 * and one that is lost with this process is followed by the next.
 *
 * What a host runs it says in its hello, which is written down before it is answered. A beat that says otherwise may
 * be the last one of a process that is gone, so it counts only when the next one says the same.
 *
 * A goodbye counts only of the process that we know: of one that another has followed already it says nothing. Where
 * another dispatcher holds an earlier beat of the host and writes it down later, its silence has to tell.
 */
export class Sightings {
  #db: Conn;
  #seen = new Map<string, Heartbeat | Goodbye>();
  #since = Date.now();
  /** The processes that beats told of, and that were not the ones we know. */
  #doubtful = new Map<string, string>();

  constructor(db: Conn) {
    this.#db = db;
  }

  note(said: Heartbeat | Goodbye): void {
    this.#seen.set(said.host, said);
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
      const all = [...seen.values()];
      for (let at = 0; at < all.length; at += BATCH) {
        const batch = all.slice(at, at + BATCH);
        await this.#writeBeats(batch.filter((one) => one.kind === 'heartbeat'));
        await this.#writeGoodbyes(batch.filter((one) => one.kind === 'goodbye'));
      }
    } catch (error) {
      this.#since = Date.now();
      this.#seen = new Map([...seen, ...this.#seen]);
      throw error;
    }
  }

  async #writeGoodbyes(said: Goodbye[]): Promise<void> {
    if (said.length > 0) await this.#db.transaction((db) => markGone(db, said));
  }

  async #writeBeats(beats: Sighting[]): Promise<void> {
    if (beats.length === 0) return;
    const hosts = beats.map((one) => one.host);
    await this.#db.transaction((db) => markSeen(db, hosts));
    const known = await knownProcesses(this.#db, hosts);
    const unlike = beats.filter(({ host, boot }) => known.has(host) && known.get(host)?.boot !== boot);
    for (const one of unlike.filter(({ host, boot }) => this.#doubtful.get(host) === boot)) {
      await setProcess(this.#db, one);
    }
    for (const { host, boot, held = null } of beats) {
      const row = known.get(host);
      if (row?.boot === boot && row.ownerHold !== held) await setOwnerHold(this.#db, host, held);
    }
    for (const host of hosts) this.#doubtful.delete(host);
    for (const { host, boot } of unlike) this.#doubtful.set(host, boot);
  }
}
