import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

const JOBS = 20;
const TASKS = 2_000;

/** How long upgrades took that went well, in ms: those of the latest jobs. */
export async function upgradeTimes(db: Queryable): Promise<number[]> {
  const jobs = await db.query<{ id: string }>(
    sql`SELECT id FROM jobs WHERE type = 'client_upgrade' ORDER BY created_at DESC LIMIT ?`,
    [JOBS],
  );
  if (jobs.length === 0) return [];
  const statement = sql`
    SELECT TIMESTAMPDIFF(MICROSECOND, started_at, finished_at) / 1000 AS ms FROM tasks
    WHERE job_id IN (?) AND state = 'succeeded' AND started_at IS NOT NULL LIMIT ?`;
  const rows = await db.query<{ ms: number }>(statement, [jobs.map((job) => job.id), TASKS]);
  return rows.map((row) => Math.round(Number(row.ms)));
}
