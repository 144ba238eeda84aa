import type { AlertKind } from '../../lib/alerts.ts';
import type { Conn, Queryable } from '../../lib/conn.ts';
import { uuidv7 } from '../../lib/utils.ts';
import { lockWaiting, type RaisedAlert, takeUp } from './alerts.ts';
import { sql } from './sql.ts';

/**
 * INVARIANTS
 * - There is one mail under way at a time, in the whole fleet: a unique key sees to that.
 * - Which alerts a mail tells never changes once it is made, so that whoever sends it again sends the same.
 */
export type AlertMail = { id: string; madeAt: Date; heldBack: number; tries: number };

/** How things stand, by the database's clock. */
export type Standing = {
  now: Date;
  underWay: boolean;
  /** When the first of what is to be told was raised. */
  oldest: Date | null;
  lastSent: Date | null;
};

export type Lease = { owner: string; leaseMs: number };

export async function alertStanding(db: Queryable): Promise<Standing> {
  const statement = sql`
    SELECT UTC_TIMESTAMP(3) AS now,
      (SELECT COUNT(*) FROM alert_mails WHERE under_way = 1) AS underWay,
      (SELECT MIN(raised_at) FROM alerts WHERE waiting = 1) AS waitingSince,
      (SELECT MIN(raised_at) FROM alerts WHERE given_up = 1 AND mail_id IS NULL) AS givenUpSince,
      (SELECT MAX(sent_at) FROM alert_mails) AS lastSent`;
  type Found = Omit<Standing, 'oldest'> & { waitingSince: Date | null; givenUpSince: Date | null };
  const { now, underWay, waitingSince, givenUpSince, lastSent } = (await db.one<Found>(statement))!;
  return { now, underWay: Number(underWay) > 0, oldest: givenUpSince ?? waitingSince, lastSent };
}

/** The one that is under way, unless somebody else is sending it, or it failed just now. */
export async function leaseMail(db: Conn, { owner, leaseMs }: Lease): Promise<AlertMail | undefined> {
  return db.transaction(async (tx) => {
    const mail = await tx.one<AlertMail>(sql`
      SELECT ${COLUMNS} FROM alert_mails WHERE under_way = 1 AND ${FREE} FOR UPDATE SKIP LOCKED`);
    if (!mail) return undefined;
    const statement = sql`
      UPDATE alert_mails SET lease_owner = ?, lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND,
        tries = tries + 1 WHERE id = ?`;
    await tx.run(statement, [owner, leaseMs * 1000, mail.id]);
    return { ...mail, heldBack: Number(mail.heldBack), tries: Number(mail.tries) + 1 };
  });
}

const COLUMNS = sql`id, made_at AS madeAt, held_back AS heldBack, tries`;
const FREE = sql`COALESCE(lease_until, UTC_TIMESTAMP(3)) <= UTC_TIMESTAMP(3)`;

export type MailPlan = {
  kinds: AlertKind[];
  /** Looked at again with the mail's row in place, since another dispatcher may just have sent one. */
  isDue: (standing: Standing) => boolean;
  heldBack: (standing: Standing, alerts: RaisedAlert[]) => number;
  mostAlerts: number;
};

/** Makes a mail of what waits, and leases it; undefined when another dispatcher did, or there is nothing. */
export async function makeMail(db: Conn, lease: Lease, plan: MailPlan): Promise<AlertMail | undefined> {
  return db.transaction(async (tx) => {
    const id = uuidv7();
    if (!(await addMail(tx, id, lease))) return undefined;
    const standing = await alertStanding(tx);
    const alerts = plan.isDue(standing) ? await lockWaiting(tx, plan.kinds, plan.mostAlerts) : [];
    await takeUp(
      tx,
      alerts.map((one) => one.id),
      id,
    );
    const givenUp = plan.isDue(standing) ? await countInto(tx, id) : 0;
    if (alerts.length + givenUp === 0) {
      await tx.run(sql`DELETE FROM alert_mails WHERE id = ?`, [id]);
      return undefined;
    }
    const heldBack = plan.heldBack(standing, alerts);
    await tx.run(sql`UPDATE alert_mails SET held_back = ? WHERE id = ?`, [heldBack, id]);
    return { id, madeAt: standing.now, heldBack, tries: 1 };
  });
}

async function addMail(tx: Queryable, id: string, { owner, leaseMs }: Lease): Promise<boolean> {
  const statement = sql`
    INSERT IGNORE INTO alert_mails (id, made_at, tries, lease_owner, lease_until)
    VALUES (?, UTC_TIMESTAMP(3), 1, ?, UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)`;
  return (await tx.run(statement, [id, owner, leaseMs * 1000])) === 1;
}

/** This mail tells how many were given up. */
async function countInto(tx: Queryable, id: string): Promise<number> {
  return tx.run(sql`UPDATE alerts SET mail_id = ? WHERE given_up = 1 AND mail_id IS NULL`, [id]);
}

export type Section = { kind: AlertKind; count: number; first: RaisedAlert[] };

/** What a mail tells: of each kind how many, and the first of them. */
export async function sectionsOf(db: Queryable, mail: string, mostListed: number): Promise<Section[]> {
  const counts = await db.query<{ kind: AlertKind; count: number }>(
    sql`SELECT kind, COUNT(*) AS count FROM alerts WHERE mail_id = ? AND given_up = 0 GROUP BY kind`,
    [mail],
  );
  const sections: Section[] = [];
  for (const { kind, count } of counts) {
    const statement = sql`
      SELECT id, kind, about, text, raised_at AS raisedAt FROM alerts
      WHERE mail_id = ? AND kind = ? AND given_up = 0 ORDER BY raised_at, about LIMIT ?`;
    const first = await db.query<RaisedAlert>(statement, [mail, kind, mostListed]);
    sections.push({ kind, count: Number(count), first });
  }
  return sections;
}

export async function countGivenUp(db: Queryable, mail: string): Promise<number> {
  const statement = sql`SELECT COUNT(*) AS n FROM alerts WHERE mail_id = ? AND given_up = 1`;
  return Number((await db.one<{ n: number }>(statement, [mail]))!.n);
}

export async function markSent(db: Queryable, id: string): Promise<void> {
  const statement = sql`
    UPDATE alert_mails SET under_way = NULL, sent_at = UTC_TIMESTAMP(3), lease_owner = NULL, error = NULL
    WHERE id = ? AND under_way = 1`;
  await db.run(statement, [id]);
}

/** It was not taken: again after a while, by whoever comes first. */
export async function markFailed(
  db: Queryable,
  id: string,
  owner: string,
  error: string,
  retryMs: number,
): Promise<void> {
  const statement = sql`
    UPDATE alert_mails SET error = ?, lease_owner = NULL, lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
    WHERE id = ? AND lease_owner = ? AND under_way = 1`;
  await db.run(statement, [error, retryMs * 1000, id, owner]);
}

/** Gives the mail up that could not be sent for so long; how many alerts it had. */
export async function giveUpMail(db: Conn, afterMs: number): Promise<number> {
  return db.transaction(async (tx) => {
    const statement = sql`
      SELECT ${COLUMNS} FROM alert_mails
      WHERE under_way = 1 AND ${FREE} AND made_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND
      FOR UPDATE SKIP LOCKED`;
    const mail = await tx.one<AlertMail>(statement, [afterMs * 1000]);
    if (!mail) return 0;
    await tx.run(sql`UPDATE alert_mails SET under_way = NULL WHERE id = ?`, [mail.id]);
    return tx.run(sql`UPDATE alerts SET given_up = 1, mail_id = NULL WHERE mail_id = ?`, [mail.id]);
  });
}
