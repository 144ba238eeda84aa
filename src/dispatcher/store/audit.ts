import type { Conn, Queryable } from '../../lib/conn.ts';
import { type AuditEntry, type ChainedEntry, type Link, linkOf } from '../chain.ts';
import { sql } from './sql.ts';

/**
 * INVARIANTS
 * - Rows are added, and never changed or removed: no statement here does so, and a test reads them all.
 * - The id of a row is one more than that of the row before it: whoever adds one holds `audit_head` locked.
 */
export type NewAuditEntry = Omit<AuditEntry, 'id' | 'at'>;

/** Adds rows to the chain, all or none; what they became, in their order. */
export async function addAudit(db: Conn, entries: NewAuditEntry[]): Promise<Link[]> {
  return db.transaction(async (tx) => {
    const head = await tx.one<Link & { now: Date }>(
      sql`SELECT id, sha256, UTC_TIMESTAMP(3) AS now FROM audit_head WHERE one = 1 FOR UPDATE`,
    );
    if (!head) throw new Error('audit_head has no row: it was removed by hand');
    const rows: ChainedEntry[] = [];
    for (const entry of entries) {
      const previous = rows.at(-1)?.sha256 ?? head.sha256;
      const whole = { ...entry, id: Number(head.id) + rows.length + 1, at: head.now };
      rows.push({ ...whole, previous, sha256: linkOf(previous, whole) });
    }
    await insert(tx, rows);
    const last = rows.at(-1)!;
    await tx.run(sql`UPDATE audit_head SET id = ?, sha256 = ? WHERE one = 1`, [last.id, last.sha256]);
    return rows.map(({ id, sha256 }) => ({ id, sha256 }));
  });
}

async function insert(tx: Queryable, rows: ChainedEntry[]): Promise<void> {
  const statement = sql`
    INSERT INTO audit (id, at, about, who, role, origin, fn, args, target, host_id, job_id, hosts, outcome, previous, sha256)
    VALUES ?`;
  const values = rows.map((row) => {
    const { id, at, about, who, role, origin, fn, args, target, host, job, hosts, outcome } = row;
    const said = [id, at, about, who, role, origin, fn, args, target, host, job, hosts, outcome];
    return [...said, row.previous, row.sha256];
  });
  await tx.run(statement, [values]);
}

export async function auditHead(db: Queryable): Promise<Link> {
  const row = await db.one<Link>(sql`SELECT id, sha256 FROM audit_head WHERE one = 1`);
  return { id: Number(row?.id ?? 0), sha256: row?.sha256 ?? '' };
}

const COLUMNS = sql`a.id, a.at, a.about, a.who, a.role, a.origin, a.fn, a.args, a.target, a.host_id AS host,
  a.job_id AS job, a.hosts, a.outcome`;

/** The rows that come after one, in their order. */
export async function auditAfter(db: Queryable, after: number, limit: number): Promise<ChainedEntry[]> {
  const statement = sql`
    SELECT ${COLUMNS}, a.previous, a.sha256 FROM audit a WHERE a.id > ? ORDER BY a.id LIMIT ?`;
  const rows = await db.query<ChainedEntry>(statement, [after, limit]);
  const number = (value: number | null) => (value === null ? null : Number(value));
  return rows.map((row) => ({ ...row, id: Number(row.id), about: number(row.about) }));
}

export async function auditSha256(db: Queryable, id: number): Promise<string | undefined> {
  return (await db.one<{ sha256: string }>(sql`SELECT sha256 FROM audit WHERE id = ?`, [id]))?.sha256;
}

export type AuditFilter = {
  /** A user, whose API tokens are meant too, or one login. */
  who?: string | undefined;
  fn?: string | undefined;
  /** Named by the call, or among the hosts of its job. */
  host?: string | undefined;
  sinceMs?: number | undefined;
  /** Rows before this one. */
  before?: number | undefined;
  limit: number;
};

export type AuditedCall = {
  id: number;
  at: Date;
  who: string;
  role: string;
  origin: string | null;
  fn: string;
  args: string | null;
  target: string | null;
  job: string | null;
  hosts: number | null;
  /** Null while the call is carried out, or when its dispatcher died meanwhile. */
  outcome: string | null;
};

const CALL = sql`a.id, a.at, a.who, a.role, a.origin, a.fn, a.args, COALESCE(a.target, e.target) AS target,
  COALESCE(a.outcome, e.outcome) AS outcome, e.job_id AS job, e.hosts`;

/** What was done with a job, the latest first: calls that were carried out, and whose answer names it. */
export async function auditOfJob(db: Queryable, job: string, limit: number): Promise<AuditedCall[]> {
  const statement = sql`
    SELECT ${CALL} FROM audit e JOIN audit a ON a.id = e.about WHERE e.job_id = ? ORDER BY e.id DESC LIMIT ?`;
  const rows = await db.query<AuditedCall>(statement, [job, limit]);
  return rows.map((row) => ({ ...row, id: Number(row.id) }));
}

/** Calls with how they ended, the latest first. What the filter does not say is null, and the server drops it. */
export async function listAudit(db: Queryable, filter: AuditFilter): Promise<AuditedCall[]> {
  const { who = null, fn = null, host = null, sinceMs, before = null, limit } = filter;
  const since = sinceMs === undefined ? null : sinceMs * 1000;
  const statement = sql`
    SELECT ${CALL} FROM audit a LEFT JOIN audit e ON e.about = a.id
    WHERE a.about IS NULL
      AND (? IS NULL OR a.who IN (?, CONCAT('op_', ?)) OR LEFT(a.who, CHAR_LENGTH(?) + 4) = CONCAT('op_', ?, '.'))
      AND (? IS NULL OR a.fn = ?)
      AND (? IS NULL OR a.host_id = ? OR e.host_id = ? OR e.job_id IN (SELECT job_id FROM tasks WHERE host_id = ?))
      AND (? IS NULL OR a.at >= UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND)
      AND (? IS NULL OR a.id < ?)
    ORDER BY a.id DESC LIMIT ?`;
  const ofHost = [host, host, host, host];
  const values = [who, who, who, who, who, fn, fn, ...ofHost, since, since, before, before, limit];
  const rows = await db.query<AuditedCall>(statement, values);
  return rows.map((row) => ({ ...row, id: Number(row.id) }));
}
