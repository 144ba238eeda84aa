import type { Conn } from '../../lib/conn.ts';
import type { Logger } from '../../lib/logs.ts';
import { drivenJobs } from '../store/driving.ts';
import { stepJob } from './step.ts';

/** How soon a job is noticed that another dispatcher has made, or changed. */
const LIST_MS = 1_000;
/** A job that another dispatcher is just at. */
const HELD_MS = 200;
/** What was ready and did not start, because its host went away, is looked for so often. */
const THOROUGH_MS = 1_000;

/**
 * Drives the jobs that have waves or limits, side by side with other dispatchers: each step is a transaction that holds
 * the job's row, so that a dispatcher that dies in it has done nothing, and no two decide by the same sight. Between two
 * looks it knows when the next is due; results and operators make it due at once.
 */
export class Driver {
  /** Tasks became ready. */
  onReady: () => void = () => undefined;
  #db: Conn;
  #logger: Logger;
  #patienceMs: number;
  /** When each of the driven jobs is looked at next, by `performance.now()`. */
  #due = new Map<string, number>();
  #thoroughAt = new Map<string, number>();
  #listAt = 0;

  constructor(db: Conn, logger: Logger, patienceMs: number) {
    this.#db = db;
    this.#logger = logger;
    this.#patienceMs = patienceMs;
  }

  /** A job was made or changed. */
  note(job: string): void {
    this.#due.set(job, 0);
  }

  /** Tasks of these jobs have ended. */
  noteEnds(jobs: Iterable<string>): void {
    for (const job of jobs) if (this.#due.has(job)) this.#due.set(job, 0);
  }

  isDriven(job: string): boolean {
    return this.#due.has(job);
  }

  /** Looks at all jobs that are due. */
  async step(): Promise<void> {
    if (performance.now() >= this.#listAt) await this.#list();
    const now = performance.now();
    for (const [job, at] of [...this.#due]) if (at <= now) await this.#drive(job);
  }

  async #list(): Promise<void> {
    const before = [...this.#due.keys()];
    const driven = new Set((await drivenJobs(this.#db)).map((job) => job.id));
    for (const job of before) if (!driven.has(job)) this.#forget(job);
    for (const job of driven) if (!this.#due.has(job)) this.#due.set(job, 0);
    this.#listAt = performance.now() + LIST_MS;
  }

  async #drive(job: string): Promise<void> {
    const now = performance.now();
    const thorough = now >= (this.#thoroughAt.get(job) ?? 0);
    const held = now + HELD_MS;
    this.#due.set(job, held);
    const driving = { logger: this.#logger, patienceMs: this.#patienceMs };
    const plan = await this.#db.transaction((db) => stepJob({ db, ...driving }, job, thorough));
    if (!plan) return;
    if (thorough) this.#thoroughAt.set(job, now + THOROUGH_MS);
    // Whoever noted it meanwhile is heard.
    if (this.#due.get(job) === held) this.#due.set(job, performance.now() + plan.lookInMs);
    if (plan.steps.some((step) => step.do === 'finish')) this.#forget(job);
    if (plan.steps.some((step) => step.do === 'start')) this.onReady();
  }

  #forget(job: string): void {
    this.#due.delete(job);
    this.#thoroughAt.delete(job);
  }
}
