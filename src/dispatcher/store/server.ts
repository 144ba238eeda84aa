import type { Queryable } from '../../lib/conn.ts';
import { sql } from './sql.ts';

/** When the certificate that the database shows ends; undefined on a connection without TLS. */
export async function certificateEnds(db: Queryable): Promise<Date | undefined> {
  const row = await db.one<{ Value: string }>(sql`SHOW STATUS LIKE 'Ssl_server_not_after'`);
  return row?.Value ? new Date(row.Value) : undefined;
}

/** What all times are measured by. */
export async function databaseNow(db: Queryable): Promise<Date> {
  return (await db.one<{ now: Date }>(sql`SELECT UTC_TIMESTAMP(3) AS now`))!.now;
}
