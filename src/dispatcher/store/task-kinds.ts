import type { Queryable } from '../../lib/conn.ts';
import { OPEN_STATES, UNANSWERED_STATES } from '../tasks.ts';
import { sql } from './sql.ts';
import { COLUMNS, TASKS, type TaskRow, told } from './tasks.ts';

/** A page of a job's tasks, in order of host. */
type Page = { job: string; after: string; limit: number };

/** Those of which nobody knows how they ended, or when they will, since their hosts do not speak. */
export async function silentTasks(db: Queryable, { job, after, limit }: Page): Promise<TaskRow[]> {
  const statement = sql`
    SELECT ${COLUMNS} FROM ${TASKS} WHERE t.job_id = ? AND t.host_id > ? AND t.retried = 0
      AND (t.state IN (?) OR (t.state IN (?) AND COALESCE(h.online, 0) = 0)) ORDER BY t.host_id LIMIT ?`;
  const values = [job, after, [...UNANSWERED_STATES], [...OPEN_STATES], limit];
  return (await db.query<TaskRow>(statement, values)).map(told);
}

/** Those in whose place another try came; a host may have several, and a page end between them. */
export async function retriedTasks(db: Queryable, { job, after, limit }: Page): Promise<TaskRow[]> {
  const statement = sql`
    SELECT ${COLUMNS} FROM ${TASKS} WHERE t.job_id = ? AND t.host_id > ? AND t.retried = 1
    ORDER BY t.host_id, t.id LIMIT ?`;
  return (await db.query<TaskRow>(statement, [job, after, limit])).map(told);
}
