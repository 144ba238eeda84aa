import type { Queryable } from '../../lib/conn.ts';
import { type Hold, OPERATOR_HOLDS } from './holds.ts';
import { parsed } from './rows.ts';
import { sql } from './sql.ts';

export type HostRow = {
  id: string;
  online: boolean;
  version: string | null;
  platform: string | null;
  boot: string | null;
  registeredAt: Date;
  lastSeenAt: Date | null;
  labels: Record<string, string>;
  /** Floods: it may not connect until then. */
  cutOffUntil: Date | null;
  cutOffReason: string | null;
  /** An operator's; null for one whose time is over. */
  hold: Hold | null;
  /** Its owner holds it, for this reason. */
  ownerHold: string | null;
  /** What it has told of itself. */
  facts: Record<string, unknown>;
};

const COLUMNS = sql`
  id, online = 1 AS online, version, platform, boot, registered_at AS registeredAt, last_seen_at AS lastSeenAt, labels,
  cut_off_until AS cutOffUntil, cut_off_reason AS cutOffReason, owner_hold AS ownerHold, facts,
  ${OPERATOR_HOLDS} AS isHeld, held_by AS heldBy, held_reason AS heldReason, held_until AS heldUntil`;
type Read = Omit<HostRow, 'hold'> & {
  isHeld: number;
  heldBy: string;
  heldReason: string;
  heldUntil: Date | null;
};

export async function getHost(db: Queryable, id: string): Promise<HostRow | undefined> {
  const row = await db.one<Read>(sql`SELECT ${COLUMNS} FROM hosts WHERE id = ?`, [id]);
  return row && told(row);
}

/** In order of id, after `after`, at most `limit`. */
export async function listHosts(db: Queryable, after = '', limit = 1000): Promise<HostRow[]> {
  const rows = await db.query<Read>(sql`SELECT ${COLUMNS} FROM hosts WHERE id > ? ORDER BY id LIMIT ?`, [
    after,
    limit,
  ]);
  return rows.map(told);
}

export async function allHosts(db: Queryable): Promise<HostRow[]> {
  return (await db.query<Read>(sql`SELECT ${COLUMNS} FROM hosts ORDER BY id`)).map(told);
}

export type Sighting = { host: string; boot: string; version: string; held?: string | undefined };

/** These hosts were heard; those that are not registered are passed over. */
export async function markSeen(db: Queryable, hosts: string[]): Promise<void> {
  await db.run(sql`UPDATE hosts SET last_seen_at = UTC_TIMESTAMP(3), online = 1 WHERE id IN (?)`, [hosts]);
}

export type Known = { id: string; boot: string | null; ownerHold: string | null };

/** What we know of these hosts' processes; of those that are not registered, nothing. */
export async function knownProcesses(db: Queryable, hosts: string[]): Promise<Map<string, Known>> {
  const statement = sql`SELECT id, boot, owner_hold AS ownerHold FROM hosts WHERE id IN (?)`;
  return new Map((await db.query<Known>(statement, [hosts])).map((row) => [row.id, row]));
}

export async function setProcess(db: Queryable, { host, boot, version }: Sighting): Promise<void> {
  await db.run(sql`UPDATE hosts SET boot = ?, version = ? WHERE id = ?`, [boot, version, host]);
}

export type HelloSaid = Sighting & { platform: string };

/** What hosts say of themselves when they connect, each host once; those that are not registered are passed over. */
export async function markHellos(db: Queryable, said: HelloSaid[]): Promise<void> {
  // In order of id, as `markSeen` goes through its list: two that write many rows never wait for each other.
  const sorted = said.toSorted((a, b) => (a.host < b.host ? -1 : 1));
  const more = sql` UNION ALL SELECT ?, ?, ?, ?, ?`.repeat(sorted.length - 1);
  // The id as ASCII, and the list beside it: with either the rows are found by their key, whatever the connection speaks.
  const statement = sql`
    UPDATE hosts h JOIN (
      SELECT CONVERT(? USING ascii) AS id, ? AS boot, ? AS version, ? AS platform, ? AS held ${more}
    ) said ON said.id = h.id
    SET h.last_seen_at = UTC_TIMESTAMP(3), h.online = 1, h.boot = said.boot, h.version = said.version,
      h.platform = said.platform, h.owner_hold = said.held
    WHERE h.id IN (?)`;
  const values = sorted.flatMap(({ host, boot, version, platform, held = null }) => {
    return [host, boot, version, platform, held];
  });
  await db.run(statement, [...values, sorted.map((one) => one.host)]);
}

/** These processes said goodbye; a host on which another one runs by now is there. */
export async function markGone(db: Queryable, gone: { host: string; boot: string }[]): Promise<void> {
  const statement = sql`
    UPDATE hosts SET last_seen_at = UTC_TIMESTAMP(3), left_at = UTC_TIMESTAMP(3), online = 0
    WHERE id IN (?) AND boot IN (?)`;
  await db.run(statement, [gone.map((one) => one.host), gone.map((one) => one.boot)]);
}

/** What a host says of itself when it joins. */
export async function markPlatform(db: Queryable, host: string, platform: string): Promise<void> {
  await db.run(sql`UPDATE hosts SET platform = ? WHERE id = ?`, [platform, host]);
}

/** Hosts not heard of for `afterMs` count as away. */
export async function markAway(db: Queryable, afterMs: number): Promise<number> {
  const statement = sql`
    UPDATE hosts SET online = 0
    WHERE online = 1 AND last_seen_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND`;
  return db.run(statement, [afterMs * 1000]);
}

function told({ isHeld, heldBy: by, heldReason: reason, heldUntil: until, ...row }: Read): HostRow {
  return {
    ...row,
    online: Boolean(row.online),
    labels: row.labels === null ? {} : parsed(row.labels),
    facts: row.facts === null ? {} : parsed(row.facts),
    hold: isHeld ? { by, reason, until } : null,
  };
}
