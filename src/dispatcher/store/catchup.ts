import type { Queryable } from '../../lib/conn.ts';
import type { TaskState } from '../tasks.ts';
import { HELD } from './holds.ts';
import type { HelloSaid } from './hosts.ts';
import type { JobState } from './jobs.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/** Of these hosts those that were known to run another version, or none. */
export async function runningOther(db: Queryable, said: HelloSaid[]): Promise<string[]> {
  const statement = sql`SELECT id, version FROM hosts WHERE id IN (?)`;
  const rows = await db.query<{ id: string; version: string | null }>(statement, [
    said.map((one) => one.host),
  ]);
  const known = new Map(rows.map((row) => [row.id, row.version]));
  return said.filter(({ host, version }) => known.get(host) !== version).map((one) => one.host);
}

/** After so long it is looked whether these hosts run what they are to run. */
export async function lookAtHosts(db: Queryable, hosts: string[], afterMs: number): Promise<void> {
  if (hosts.length === 0) return;
  const statement = sql`
    UPDATE hosts SET catch_up_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE id IN (?)`;
  await db.run(statement, [afterMs * 1000, hosts]);
}

/** Before upgrades of these jobs expire: hosts that are away or held are looked at as soon as they no longer are. */
export async function lookAtAway(db: Queryable, jobs: string[]): Promise<void> {
  const statement = sql`
    UPDATE hosts h JOIN tasks t ON t.host_id = h.id SET h.catch_up_at = UTC_TIMESTAMP(3)
    WHERE t.job_id IN (?) AND t.retried = 0 AND t.state = 'pending' AND t.type = 'client_upgrade'
      AND t.deadline_at <= UTC_TIMESTAMP(3) AND (h.online = 0 OR ${HELD} = 1)
      AND h.catch_up_at IS NULL`;
  await db.run(statement, [jobs]);
}

/** There is nothing more to look at, unless somebody has asked for it again since. */
export async function lookedAt(db: Queryable, hosts: { id: string; lookAt: Date }[]): Promise<void> {
  if (hosts.length === 0) return;
  const latest = new Date(Math.max(...hosts.map((one) => one.lookAt.getTime())));
  const statement = sql`UPDATE hosts SET catch_up_at = NULL WHERE id IN (?) AND catch_up_at <= ?`;
  await db.run(statement, [hosts.map((one) => one.id), latest]);
}

/** An upgrade job, as far as a host may be made to follow it later. */
export type UpgradeJob = {
  id: string;
  state: JobState;
  args: { to: string; trial: unknown; downgrade?: boolean };
};
/** A host that is there and to be looked at, with its last upgrade; a job that is gone is none. */
export type Behind = {
  id: string;
  version: string | null;
  held: boolean;
  lookAt: Date;
  last: { task: string; state: TaskState; job: UpgradeJob } | null;
};

type BehindRow = Omit<Behind, 'last'> & {
  task: string | null;
  state: TaskState;
  job: string | null;
  jobState: JobState;
  args: unknown;
};

export async function hostsToLookAt(db: Queryable, limit: number): Promise<Behind[]> {
  const statement = sql`
    SELECT h.id, h.version, h.catch_up_at AS lookAt, ${HELD} AS held, t.id AS task, t.state,
      j.id AS job, j.state AS jobState, j.args
    FROM hosts h
    LEFT JOIN tasks t ON t.id = (
      SELECT n.id FROM tasks n WHERE n.host_id = h.id AND n.type = 'client_upgrade' ORDER BY n.id DESC LIMIT 1)
    LEFT JOIN jobs j ON j.id = t.job_id
    WHERE h.catch_up_at <= UTC_TIMESTAMP(3) AND h.online = 1
    ORDER BY h.catch_up_at LIMIT ?`;
  return (await db.query<BehindRow>(statement, [limit])).map(
    ({ id, version, held, lookAt, task, state, job, jobState, args }) => {
      const last = task !== null && job !== null;
      return {
        ...{ id, version, lookAt, held: Boolean(held) },
        last: last ? { task, state, job: { id: job, state: jobState, args: parsed(args) } } : null,
      };
    },
  );
}

/** The last upgrade of the whole fleet that is under way or went well, and that is not in quarantine. */
export async function lastOfFleet(db: Queryable): Promise<UpgradeJob | undefined> {
  const statement = sql`
    SELECT j.id, j.state, j.args FROM jobs j
    WHERE j.type = 'client_upgrade' AND j.target = 'all' AND j.state IN ('running', 'succeeded', 'partial')
      AND NOT EXISTS (
        SELECT 1 FROM packages p
        WHERE p.quarantined_at IS NOT NULL AND p.name = JSON_UNQUOTE(JSON_EXTRACT(j.args, '$.to')))
    ORDER BY j.created_at DESC LIMIT 1`;
  const row = await db.one<UpgradeJob>(statement);
  return row && { ...row, args: parsed(row.args) };
}

/** Holds the host's row; undefined when another dispatcher was faster, or the host went away or was ordered otherwise. */
export async function lockBehind(db: Queryable, { id, version, last }: Behind): Promise<object | undefined> {
  const statement = sql`
    SELECT h.id FROM hosts h
    WHERE h.id = ? AND h.catch_up_at <= UTC_TIMESTAMP(3) AND h.online = 1 AND h.version = ?
      AND NOT EXISTS (
        SELECT 1 FROM tasks n WHERE n.host_id = h.id AND n.type = 'client_upgrade' AND n.id > ?)
    FOR UPDATE`;
  return db.one(statement, [id, version, last?.task ?? '']);
}

export type CatchUp = {
  id: string;
  job: string;
  host: string;
  fromVersion: string;
  args: object;
  /** The task of this job in whose place it comes. */
  instead: string | undefined;
  ready: boolean;
  deadlineMs: number;
};

type Model = { id: string; wave: number; tries: number; timeoutMs: number; windows: string | null };

/**
 * Another task in a job, in the place of an earlier one or in the last wave. False, and nothing is done, where the job has
 * no task that it could be like. The caller's transaction holds the job and the host.
 */
export async function addCatchUp(db: Queryable, one: CatchUp): Promise<boolean> {
  const model = await modelOf(db, one);
  if (!model) return false;
  const insert = sql`
    INSERT INTO tasks (id, job_id, host_id, type, args, state, timeout_ms, created_at, deadline_at, from_version,
      wave, tries, windows, ready)
    VALUES (?, ?, ?, 'client_upgrade', ?, 'pending', ?, UTC_TIMESTAMP(3),
      UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, ?, ?, ?, ?, ?)`;
  const about = [one.id, one.job, one.host, JSON.stringify(one.args), model.timeoutMs, one.deadlineMs * 1000];
  const again = model.id === one.instead;
  const place = [model.wave, again ? model.tries + 1 : 1, again ? model.windows : null];
  await db.run(insert, [...about, one.fromVersion, ...place, one.ready ? 1 : 0]);
  if (again) await db.run(sql`UPDATE tasks SET retried = 1 WHERE id = ?`, [model.id]);
  await db.run(sql`UPDATE hosts SET catch_up_at = NULL WHERE id = ?`, [one.host]);
  return true;
}

/** The task in whose place the other one comes, or one of the last wave. */
async function modelOf(db: Queryable, { job, instead }: CatchUp): Promise<Model | undefined> {
  const columns = sql`id, wave, tries, timeout_ms AS timeoutMs, windows`;
  return instead === undefined
    ? db.one<Model>(sql`SELECT ${columns} FROM tasks WHERE job_id = ? ORDER BY wave DESC LIMIT 1`, [job])
    : db.one<Model>(sql`SELECT ${columns} FROM tasks WHERE id = ?`, [instead]);
}
