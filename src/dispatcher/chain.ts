import { createHash } from 'node:crypto';

/** What one row of the audit says. Times are the database's; texts are as they stand in the row. */
export type AuditEntry = {
  id: number;
  at: Date;
  /** The row of the call that this one tells the end of. */
  about: number | null;
  who: string;
  role: string;
  origin: string | null;
  fn: string;
  args: string | null;
  target: string | null;
  host: string | null;
  job: string | null;
  hosts: number | null;
  outcome: string | null;
};

export const FIRST_LINK = '0'.repeat(64);

/** The sha256 of a row: of the one before it, and of all that it says. */
export function linkOf(previous: string, entry: AuditEntry): string {
  const { id, at, about, who, role, origin, fn, args, target, host, job, hosts, outcome } = entry;
  const content = [
    id,
    at.toISOString(),
    about,
    who,
    role,
    origin,
    fn,
    args,
    target,
    host,
    job,
    hosts,
    outcome,
  ];
  return createHash('sha256')
    .update(JSON.stringify([previous, ...content]))
    .digest('hex');
}

export type ChainedEntry = AuditEntry & { previous: string; sha256: string };
export type Link = { id: number; sha256: string };

/** The first row that does not follow from the one before it, and why; undefined when all do. */
export function brokenAt(before: Link, rows: ChainedEntry[]): { id: number; reason: string } | undefined {
  let last = before;
  for (const row of rows) {
    const id = last.id + 1;
    if (row.id !== id) return { id, reason: `row ${id} is missing` };
    if (row.previous !== last.sha256)
      return { id, reason: `row ${id} does not follow from the one before it` };
    if (row.sha256 !== linkOf(row.previous, row)) return { id, reason: `row ${id} was changed` };
    last = row;
  }
  return undefined;
}
