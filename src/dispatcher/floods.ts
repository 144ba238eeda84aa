import type { DispatcherConfig } from '../lib/config.ts';
import type { Conn } from '../lib/conn.ts';
import type { Logger } from '../lib/logs.ts';
import type { Management } from '../lib/management.ts';
import type { Incoming } from '../lib/subscription.ts';
import { HOST_LIMITS } from '../lib/topology.ts';
import { HOST_ID } from '../lib/utils.ts';
import { type Bounds, type Kind, type Levels, nothing, raise, sink } from './flood.ts';
import { cutOff, cutOffOf, endCutOff, listCutOffs, markApplied } from './store/floods.ts';

/** Two dispatchers at one host: each looks again when the other was in between. */
const TRIES = 5;
/** A host that is still heard so long after it was cut off was let in by somebody: the broker is told again. */
const AGAIN_MS = 5_000;
const NO_CONNECTIONS = { ...HOST_LIMITS, 'max-connections': 0 };

/**
 * Cuts off a host that says more than any honest one does, before the others have to wait behind it.
 *
 * heard → (past a bound) suspected → noted in the database → the broker lets it in no more and closes its connections
 * → (after a while, or by an operator) the broker lets it in → heard
 *
 * INVARIANTS
 * - Who speaks is read from the routing key, in which the broker lets nobody write another's name: a host that leaves
 *   its user id out, or writes nonsense, is known all the same.
 * - From suspicion on, what the host has said and nobody has read yet is dropped, which is far faster than recording
 *   it. So others wait for seconds at most, and a host that floods by mistake may lose results; their tasks are `lost`.
 * - What holds is in the database; the broker is told by whichever dispatcher, and told again until it has heard.
 */
export class Floods {
  #db: Conn;
  #management: Management;
  #logger: Logger;
  #bounds: Bounds;
  #pauseMs: number;
  #levels = new Map<string, Levels>();
  #suspected = new Map<string, string>();
  /** By host, when the broker was last told. */
  #cutOff = new Map<string, number>();
  #dropped = new Map<string, number>();
  /** Somebody is suspected: do not wait for the next round. */
  onSuspicion: () => void = () => undefined;

  constructor(config: DispatcherConfig, db: Conn, management: Management, logger: Logger) {
    this.#db = db;
    this.#management = management;
    this.#logger = logger;
    this.#pauseMs = config.floodPauseMs;
    this.#bounds = {
      intervalMs: config.floodIntervalMs,
      messages: config.floodMessages,
      bytes: config.floodBytes,
      calls: config.floodCalls,
      unread: config.floodUnread,
    };
  }

  /** Counts a message; true when its host is cut off, and the message is to be acknowledged and forgotten. */
  drops(message: Incoming, kind: 'messages' | 'calls'): boolean {
    const host = speakerOf(message);
    if (host === undefined) return false;
    if (this.#isOut(host)) {
      this.#dropped.set(host, (this.#dropped.get(host) ?? 0) + 1);
      return true;
    }
    this.#count(host, kind, 1);
    this.#count(host, 'bytes', message.body.length);
    return this.#isOut(host);
  }

  /** A message that could not be read, which costs more than others do. */
  noteUnread(message: Incoming): void {
    const host = speakerOf(message);
    if (host !== undefined && !this.#isOut(host)) this.#count(host, 'unread', 1);
  }

  /** One round: what is suspected is noted, and the broker is told of what holds. */
  async step(): Promise<void> {
    for (const [host, reason] of this.#suspected) await this.#note(host, reason);
    const rows = await listCutOffs(this.#db);
    const now = performance.now();
    const dropped = this.#takeDropped();
    const failures: unknown[] = [];
    for (const { host, applied, leftMs } of rows) {
      const toldAt = this.#cutOff.get(host) ?? (applied ? now : Number.NEGATIVE_INFINITY);
      if (leftMs > 0) this.#cutOff.set(host, toldAt);
      const stillHeard = dropped.has(host) && now - toldAt > AGAIN_MS;
      if (applied && leftMs > 0 && !stillHeard) continue;
      await this.settle(host).catch((error: unknown) => failures.push(error));
    }
    const out = new Set(rows.filter(({ leftMs }) => leftMs > 0).map(({ host }) => host));
    for (const host of this.#cutOff.keys()) if (!out.has(host)) this.#letIn(host);
    this.#forgetQuiet(now);
    if (failures.length > 0) throw failures[0];
  }

  /** Tells the broker what holds for a host. */
  async settle(host: string): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      const row = await cutOffOf(this.#db, host);
      if (!row) return;
      if (row.leftMs > 0) {
        await this.#management.limitUser(host, NO_CONNECTIONS); // first: it would be back at once
        await this.#management.closeConnections(host, toldTo(row.until, row.reason));
        this.#cutOff.set(host, performance.now());
        if (await markApplied(this.#db, row)) return;
      } else {
        await this.#management.limitUser(host, HOST_LIMITS);
        if (!(await endCutOff(this.#db, row))) continue;
        this.#letIn(host);
        this.#logger.info({ host }, 'a host that was cut off may come back');
        return;
      }
    }
  }

  #isOut(host: string): boolean {
    return this.#cutOff.has(host) || this.#suspected.has(host);
  }

  #count(host: string, kind: Kind, by: number): void {
    const now = performance.now();
    const levels = this.#levels.get(host) ?? nothing(now);
    this.#levels.set(host, levels);
    const past = raise(levels, kind, by, this.#bounds, now);
    if (past === undefined || this.#suspected.has(host)) return;
    this.#suspected.set(host, reasonFor(past, this.#bounds));
    this.onSuspicion();
  }

  async #note(host: string, reason: string): Promise<void> {
    const registered = await cutOff(this.#db, host, reason, this.#pauseMs);
    this.#suspected.delete(host);
    this.#levels.delete(host);
    if (registered) this.#cutOff.set(host, Number.NEGATIVE_INFINITY);
    this.#logger.error({ host, reason, registered, pauseMs: this.#pauseMs }, 'a host floods and is cut off');
  }

  #letIn(host: string): void {
    this.#cutOff.delete(host);
    this.#levels.delete(host);
  }

  #takeDropped(): Map<string, number> {
    const dropped = this.#dropped;
    this.#dropped = new Map();
    for (const [host, messages] of dropped) {
      this.#logger.warn({ host, messages }, 'what a host said that is cut off was dropped');
    }
    return dropped;
  }

  #forgetQuiet(now: number): void {
    for (const [host, levels] of this.#levels) {
      if (sink(levels, this.#bounds, now)) this.#levels.delete(host);
    }
  }
}

/** `result.db-01`; undefined for people and scripts, who are no hosts. */
function speakerOf({ key }: Incoming): string | undefined {
  const host = key.slice(key.indexOf('.') + 1);
  return HOST_ID.test(host) ? host : undefined;
}

function reasonFor(kind: Kind, bounds: Bounds): string {
  const what = { messages: 'messages', bytes: 'bytes', calls: 'calls', unread: 'unreadable messages' }[kind];
  return `more than ${bounds[kind]} ${what} within ${bounds.intervalMs / 1000} s`;
}

/** In the agent's log. */
const toldTo = (until: Date, reason: string) =>
  `cut off until ${until.toISOString()}: ${reason}; an operator lets it in with mega host release`;
