import type { Queryable } from '../../lib/conn.ts';
import type { Labels } from '../../lib/labels.ts';
import { type Hold, OPERATOR_HOLDS } from './holds.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/** What operators say of a host. */
export type Entry = { id: string; labels: Labels; hold: Hold | null };

/** Rows a statement. */
const BATCH = 500;

/** Locks these hosts until the transaction ends; those that are not there are left out. */
export async function lockEntries(db: Queryable, hosts: string[]): Promise<Entry[]> {
  if (hosts.length === 0) return [];
  const statement = sql`
    SELECT id, labels, ${OPERATOR_HOLDS} AS isHeld, held_by AS heldBy, held_reason AS reason, held_until AS until
    FROM hosts WHERE id IN (?) ORDER BY id FOR UPDATE`;
  type Row = {
    id: string;
    labels: unknown;
    isHeld: number;
    heldBy: string;
    reason: string;
    until: Date | null;
  };
  return (await db.query<Row>(statement, [hosts])).map(
    ({ id, labels, isHeld, heldBy: by, reason, until }) => ({
      id,
      labels: labels === null ? {} : parsed<Labels>(labels),
      hold: isHeld ? { by, reason, until } : null,
    }),
  );
}

export async function setAllLabels(db: Queryable, entries: Pick<Entry, 'id' | 'labels'>[]): Promise<void> {
  for (let at = 0; at < entries.length; at += BATCH) {
    const batch = entries.slice(at, at + BATCH);
    const more = sql` UNION ALL SELECT ?, ?`.repeat(batch.length - 1);
    // The id as ASCII, and the list beside it, as in markHellos: so the rows are found by their key.
    const statement = sql`
      UPDATE hosts h JOIN (SELECT CONVERT(? USING ascii) AS id, ? AS labels ${more}) said ON said.id = h.id
      SET h.labels = said.labels WHERE h.id IN (?)`;
    const values = batch.flatMap(({ id, labels }) => [id, JSON.stringify(labels)]);
    await db.run(statement, [...values, batch.map((one) => one.id)]);
  }
}
