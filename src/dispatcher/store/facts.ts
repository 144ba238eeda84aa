import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

/** What a host has told of itself; of one that is not registered any more nothing is kept. */
export async function setFacts(db: Queryable, host: string, facts: Record<string, unknown>): Promise<void> {
  await db.run(sql`UPDATE hosts SET facts = ? WHERE id = ?`, [JSON.stringify(facts), host]);
}
