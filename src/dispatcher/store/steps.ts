import type { Queryable } from '../../lib/conn.ts';
import { uuidv7 } from '../../lib/utils.ts';
import { lookAtAway } from './catchup.ts';
import { begunWaves, type DrivenJob, firstDeadline } from './driving.ts';
import { UNLEASED } from './due.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/** What the driver does to a job, whose row the caller holds locked. */

const AGAIN_MS = 1_000;
const NOTHING_WAITS_MS = 60_000;
const TASKS_A_STATEMENT = 500;

export async function makeReady(db: Queryable, ids: string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += TASKS_A_STATEMENT) {
    const statement = sql`UPDATE tasks SET ready = 1 WHERE id IN (?) AND state = 'pending' AND ready = 0`;
    await db.run(statement, [ids.slice(at, at + TASKS_A_STATEMENT)]);
  }
}

export async function setNextStart(db: Queryable, id: string, at: number): Promise<void> {
  await db.run(sql`UPDATE jobs SET next_start_at = ? WHERE id = ?`, [new Date(at), id]);
}

/** What is ready and not sent waits again; 2, where its order is just being sent. */
export async function takeBack(db: Queryable, id: string): Promise<void> {
  const statement = sql`
    UPDATE tasks t SET t.ready = CASE WHEN ${UNLEASED} THEN 0 ELSE 2 END
    WHERE t.job_id = ? AND t.retried = 0 AND t.state = 'pending' AND t.ready = 1`;
  await db.run(statement, [id]);
}

export async function unready(db: Queryable, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const statement = sql`UPDATE tasks t SET t.ready = 0 WHERE t.id IN (?) AND t.state = 'pending' AND ${UNLEASED}`;
  await db.run(statement, [ids]);
}

/** `patienceMs`: how long it may stay so before what waits is given up. */
export async function setPaused(
  db: Queryable,
  id: string,
  reason: string,
  patienceMs: number,
): Promise<void> {
  const statement = sql`
    UPDATE jobs SET state = 'paused', paused_reason = ?, deadline_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE id = ?`;
  await db.run(statement, [reason, patienceMs * 1000, id]);
  await takeBack(db, id);
}

export async function endWave(db: Queryable, id: string): Promise<void> {
  await db.run(sql`UPDATE jobs SET wave_ended_at = UTC_TIMESTAMP(3) WHERE id = ?`, [id]);
}

/** From here on its hosts may be away for `deadlineMs`. */
export async function beginWave(db: Queryable, job: DrivenJob, wave: number): Promise<void> {
  const us = job.limits.deadlineMs * 1000;
  const ofTasks = sql`
    UPDATE tasks SET deadline_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE job_id = ? AND retried = 0 AND state = 'pending' AND wave = ?`;
  await db.run(ofTasks, [us, job.id, wave]);
  await db.run(sql`UPDATE jobs SET wave = ?, wave_ended_at = NULL WHERE id = ?`, [wave, job.id]);
  await lookForDeadlines(db, { ...job, wave });
}

/** Ends what its host did not take in time. */
export async function expireBegun(db: Queryable, job: DrivenJob): Promise<void> {
  const statement = sql`
    UPDATE tasks t SET t.finished_at = UTC_TIMESTAMP(3), t.lease_until = NULL,
      t.reason = CASE WHEN t.returned = 1 THEN 'the host has no queue' ELSE 'the host was not there in time' END,
      t.state = CASE WHEN t.returned = 1 THEN 'undeliverable' ELSE 'expired' END
    WHERE t.job_id = ? AND t.retried = 0 AND t.state = 'pending' AND t.wave IN (?)
      AND t.deadline_at <= UTC_TIMESTAMP(3) AND ${UNLEASED}`;
  await lookAtAway(db, [job.id]);
  await db.run(statement, [job.id, begunWaves(job)]);
  await lookForDeadlines(db, job);
}

/**
 * What is just being sent may be past its deadline and not ended yet. Where nothing waits, an order may still come back
 * unread: that is looked for now and then.
 */
export async function lookForDeadlines(db: Queryable, job: DrivenJob): Promise<void> {
  const first = await firstDeadline(db, job);
  const statement = sql`
    UPDATE jobs SET deadline_at = COALESCE(GREATEST(?, UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND),
      UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)
    WHERE id = ?`;
  await db.run(statement, [first, AGAIN_MS * 1000, NOTHING_WAITS_MS * 1000, job.id]);
}

/** Ends all that waits, whichever its wave. */
export async function giveUp(db: Queryable, id: string, reason: string): Promise<void> {
  const statement = sql`
    UPDATE tasks t SET t.state = 'expired', t.finished_at = UTC_TIMESTAMP(3), t.lease_until = NULL, t.reason = ?
    WHERE t.job_id = ? AND t.retried = 0 AND t.state = 'pending' AND ${UNLEASED}`;
  await db.run(statement, [reason, id]);
}

export type Again = {
  id: string;
  /** Before it starts, by the database's clock. */
  pauseMs: number;
};
type Tried = {
  id: string;
  job: string;
  host: string;
  type: string;
  args: unknown;
  timeoutMs: number;
  wave: number;
  tries: number;
  windows: string | null;
  version: string | null;
};

/** What a host is told this time; `done`: why it need not be told at all. */
export type Order = { args: Record<string, unknown>; done?: string | undefined };

/**
 * A new task takes the place of each of these, which have ended; those whose hosts were removed stay as they are. How many
 * were made. `orderOf` says what the host is told this time, by what it runs now.
 */
export async function addTries(
  db: Queryable,
  again: Again[],
  { ready, deadlineMs }: { ready: boolean; deadlineMs: number },
  orderOf: (args: Record<string, unknown>, version: string | null) => Order = (args) => ({ args }),
): Promise<number> {
  let made = 0;
  for (let at = 0; at < again.length; at += TASKS_A_STATEMENT) {
    const some = new Map(again.slice(at, at + TASKS_A_STATEMENT).map((one) => [one.id, one.pauseMs]));
    const rows = await db.query<Tried>(
      sql`
        SELECT t.id, t.job_id AS job, t.host_id AS host, t.type, t.args, t.timeout_ms AS timeoutMs, t.wave, t.tries,
          t.windows, h.version
        FROM tasks t JOIN hosts h ON h.id = t.host_id WHERE t.id IN (?) AND t.retried = 0`,
      [[...some.keys()]],
    );
    if (rows.length === 0) continue;
    await db.run(sql`UPDATE tasks SET retried = 1 WHERE id IN (?)`, [rows.map((row) => row.id)]);
    const { now } = (await db.one<{ now: Date }>(sql`SELECT UTC_TIMESTAMP(3) AS now`))!;
    const values = rows.map((row) => {
      const startsAt = new Date(now.getTime() + some.get(row.id)!);
      const { job, host, type, timeoutMs, wave, windows, version } = row;
      const { args, done = null } = orderOf(parsed(row.args), version);
      const state = done === null ? ['pending', null, null] : ['skipped', done, now];
      const times = [now, new Date(startsAt.getTime() + deadlineMs), startsAt];
      const place = [wave, ready ? 1 : 0, Number(row.tries) + 1, windows];
      return [
        uuidv7(),
        job,
        host,
        type,
        JSON.stringify(args),
        ...state,
        timeoutMs,
        version,
        ...times,
        ...place,
      ];
    });
    const insert = sql`
      INSERT INTO tasks (id, job_id, host_id, type, args, state, reason, finished_at, timeout_ms, from_version, created_at, deadline_at,
        not_before, wave, ready, tries, windows)
      VALUES ?`;
    made += await db.run(insert, [values]);
  }
  return made;
}
