import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

export type WaveTimes = { wave: number; startedAt: Date | null; finishedAt: Date | null };

/** When the first order of each wave of a job was confirmed, and when its last task ended so far; reads all of its tasks. */
export async function timesOfWaves(db: Queryable, job: string): Promise<Map<number, WaveTimes>> {
  const statement = sql`
    SELECT wave, MIN(queued_at) AS startedAt, MAX(finished_at) AS finishedAt FROM tasks WHERE job_id = ? GROUP BY wave`;
  const rows = await db.query<WaveTimes>(statement, [job]);
  return new Map(rows.map((row) => [row.wave, row]));
}
