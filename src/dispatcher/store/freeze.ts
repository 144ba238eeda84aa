import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

export type Freeze = { reason: string; by: string; at: Date };

/** While it is there, nothing but pings is sent: see `claimPending`. Whether there was none before. */
export async function setFreeze(db: Queryable, reason: string, by: string): Promise<boolean> {
  const statement = sql`INSERT IGNORE INTO freeze (one, reason, frozen_by, frozen_at) VALUES (1, ?, ?, UTC_TIMESTAMP(3))`;
  return (await db.run(statement, [reason, by])) === 1;
}

/** Whether there was one. */
export async function endFreeze(db: Queryable): Promise<boolean> {
  return (await db.run(sql`DELETE FROM freeze`)) > 0;
}

export async function getFreeze(db: Queryable): Promise<Freeze | undefined> {
  return db.one<Freeze>(sql`SELECT reason, frozen_by AS \`by\`, frozen_at AS \`at\` FROM freeze`);
}
