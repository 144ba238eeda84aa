import type { AlertKind } from '../../lib/alerts.ts';
import type { Queryable } from '../../lib/conn.ts';
import { uuidv7 } from '../../lib/utils.ts';
import { sql } from './sql.ts';

export type NewAlert = { kind: AlertKind; about: string; text: string };

const ROWS_A_STATEMENT = 1_000;

/** One that waits already keeps its place and takes the new text. */
export async function addAlerts(db: Queryable, alerts: NewAlert[]): Promise<void> {
  for (let at = 0; at < alerts.length; at += ROWS_A_STATEMENT) {
    const batch = alerts.slice(at, at + ROWS_A_STATEMENT);
    const more = sql`, (?, ?, ?, ?, UTC_TIMESTAMP(3))`.repeat(batch.length - 1);
    const statement = sql`
      INSERT INTO alerts (id, kind, about, text, raised_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3)) ${more}
      ON DUPLICATE KEY UPDATE text = VALUES(text)`;
    await db.run(
      statement,
      batch.flatMap(({ kind, about, text }) => [uuidv7(), kind, about, text]),
    );
  }
}

/** Whether one of this kind was raised about the same within that time. */
export async function wasRaised(
  db: Queryable,
  { kind, about }: NewAlert,
  withinMs: number,
): Promise<boolean> {
  const statement = sql`
    SELECT id FROM alerts WHERE kind = ? AND about = ? AND raised_at > UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND
    LIMIT 1`;
  return (await db.one(statement, [kind, about, withinMs * 1000])) !== undefined;
}
