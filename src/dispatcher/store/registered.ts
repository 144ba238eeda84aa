import type { Queryable } from '../../lib/conn.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

/** What makes a host one of the fleet: its row, by which machine it is known, and what the broker is to know of it. */
export type Registered = {
  id: string;
  /** As RabbitMQ keeps it; null for a host that an earlier release has registered. */
  passwordHash: string | null;
  machineHash: string | null;
  labels: Record<string, string>;
};

const COLUMNS = sql`id, password_hash AS passwordHash, machine_hash AS machineHash, labels`;

/** Registering again is no error: the host keeps its history. Whether it is new. */
export async function addHost(db: Queryable, id: string): Promise<boolean> {
  const statement = sql`INSERT IGNORE INTO hosts (id, registered_at) VALUES (?, UTC_TIMESTAMP(3))`;
  return (await db.run(statement, [id])) === 1;
}

/** Locks the row until the transaction ends. */
export async function lockHost(db: Queryable, id: string): Promise<Registered | undefined> {
  const row = await db.one<Registered>(sql`SELECT ${COLUMNS} FROM hosts WHERE id = ? FOR UPDATE`, [id]);
  return row && told(row);
}

export async function getRegistered(db: Queryable, id: string): Promise<Registered | undefined> {
  const row = await db.one<Registered>(sql`SELECT ${COLUMNS} FROM hosts WHERE id = ?`, [id]);
  return row && told(row);
}

export async function allRegistered(db: Queryable): Promise<Registered[]> {
  return (await db.query<Registered>(sql`SELECT ${COLUMNS} FROM hosts ORDER BY id`)).map(told);
}

export async function setSecret(db: Queryable, id: string, passwordHash: string): Promise<number> {
  return db.run(sql`UPDATE hosts SET password_hash = ? WHERE id = ?`, [passwordHash, id]);
}

/** For a host that an earlier release has registered, whose secret only the broker knows. */
export async function adoptSecret(db: Queryable, id: string, passwordHash: string): Promise<void> {
  const statement = sql`UPDATE hosts SET password_hash = ? WHERE id = ? AND password_hash IS NULL`;
  await db.run(statement, [passwordHash, id]);
}

export async function setMachine(db: Queryable, id: string, machineHash: string): Promise<void> {
  await db.run(sql`UPDATE hosts SET machine_hash = ? WHERE id = ?`, [machineHash, id]);
}

export async function setLabels(db: Queryable, id: string, labels: Record<string, string>): Promise<void> {
  await db.run(sql`UPDATE hosts SET labels = ? WHERE id = ?`, [JSON.stringify(labels), id]);
}

/** A machine that joins again later, under whatever name, takes a new use of its token. */
export async function removeHost(db: Queryable, id: string): Promise<void> {
  await db.run(sql`DELETE FROM enrolments WHERE host_id = ?`, [id]);
  await db.run(sql`DELETE FROM hosts WHERE id = ?`, [id]);
}

const told = (row: Registered): Registered => ({
  ...row,
  labels: row.labels === null ? {} : parsed(row.labels),
});
