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

export type RaisedAlert = NewAlert & { id: string; raisedAt: Date };

const COLUMNS = sql`id, kind, about, text, raised_at AS raisedAt`;

/** Waiting ones of these kinds, the oldest first; nobody else takes them up before the caller's transaction ends. */
export async function lockWaiting(tx: Queryable, kinds: AlertKind[], limit: number): Promise<RaisedAlert[]> {
  if (kinds.length === 0) return [];
  const statement = sql`
    SELECT ${COLUMNS} FROM alerts WHERE waiting = 1 AND kind IN (?) ORDER BY raised_at LIMIT ?
    FOR UPDATE SKIP LOCKED`;
  return tx.query<RaisedAlert>(statement, [kinds, limit]);
}

/** They wait no longer: `mail` tells them, or none does. */
export async function takeUp(tx: Queryable, ids: string[], mail: string | null): Promise<void> {
  for (let at = 0; at < ids.length; at += ROWS_A_STATEMENT) {
    const batch = ids.slice(at, at + ROWS_A_STATEMENT);
    await tx.run(sql`UPDATE alerts SET waiting = NULL, mail_id = ? WHERE id IN (?)`, [mail, batch]);
  }
}

/** What waited for a mail too long, or is more than so many: the next mail counts them. */
export async function giveUpWaiting(db: Queryable, afterMs: number, most: number): Promise<number> {
  const old = sql`
    UPDATE alerts SET waiting = NULL, given_up = 1
    WHERE waiting = 1 AND raised_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND`;
  const tooOld = await db.run(old, [afterMs * 1000]);
  const { n } = (await db.one<{ n: number }>(sql`SELECT COUNT(*) AS n FROM alerts WHERE waiting = 1`))!;
  if (Number(n) <= most) return tooOld;
  const oldest = sql`
    UPDATE alerts SET waiting = NULL, given_up = 1 WHERE waiting = 1 ORDER BY raised_at LIMIT ?`;
  return tooOld + (await db.run(oldest, [Number(n) - most]));
}

/** Of what nobody waits for any more, at most `limit` rows. */
export async function forgetOld(db: Queryable, keepMs: number, limit: number): Promise<void> {
  const alerts = sql`
    DELETE FROM alerts WHERE raised_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND AND waiting IS NULL LIMIT ?`;
  await db.run(alerts, [keepMs * 1000, limit]);
  const mails = sql`
    DELETE FROM alert_mails WHERE made_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND AND under_way IS NULL LIMIT ?`;
  await db.run(mails, [keepMs * 1000, limit]);
}

export type AlertFilter = {
  kind?: AlertKind | undefined;
  sinceMs?: number | undefined;
  /** Those before this one. */
  before?: string | undefined;
  limit: number;
};

/** `waiting` for a mail, or in one that is under way, `sent`, `given_up`, or `none`: no mail tells it. */
export type MailState = 'waiting' | 'sent' | 'given_up' | 'none';
export type ListedAlert = RaisedAlert & { mail: MailState; sentAt: Date | null; mailError: string | null };

/** The latest first. */
export async function listAlerts(db: Queryable, filter: AlertFilter): Promise<ListedAlert[]> {
  const { kind = null, sinceMs, before = null, limit } = filter;
  const since = sinceMs === undefined ? null : sinceMs * 1000;
  const statement = sql`
    SELECT a.id, a.kind, a.about, a.text, a.raised_at AS raisedAt, m.sent_at AS sentAt, m.error AS mailError,
      CASE WHEN a.given_up = 1 THEN 'given_up' WHEN a.waiting = 1 OR m.under_way = 1 THEN 'waiting'
        WHEN m.sent_at IS NULL THEN 'none' ELSE 'sent' END AS mail
    FROM alerts a LEFT JOIN alert_mails m ON m.id = a.mail_id
    WHERE (? IS NULL OR a.kind = ?) AND (? IS NULL OR a.id < ?)
      AND (? IS NULL OR a.raised_at >= UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND)
    ORDER BY a.id DESC LIMIT ?`;
  return db.query<ListedAlert>(statement, [kind, kind, before, before, since, since, limit]);
}
