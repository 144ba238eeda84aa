import { ALERT_KINDS, type AlertKind } from '../../lib/alerts.ts';
import { describe, UnavailableError } from '../../lib/errors.ts';
import { withDeadline } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import {
  type AlertMail,
  alertStanding,
  countGivenUp,
  giveUpMail,
  leaseMail,
  type MailPlan,
  makeMail,
  markFailed,
  markSent,
  type Section,
  sectionsOf,
} from '../store/alert-mails.ts';
import { forgetOld, giveUpWaiting, lockWaiting, type RaisedAlert, takeUp } from '../store/alerts.ts';
import { compose, titleOf } from './compose.ts';
import { deliver } from './deliver.ts';
import { heldBackOf, isMailDue } from './pace.ts';

/** Longer than we wait for a mail with all its tries: nobody else is to send it meanwhile. */
const LEASE_MS = 90_000;
const SEND_MS = 60_000;
const RETRIES = 2;
const STOP_MS = 3_000;
const MOST_ALERTS = 20_000;
const MOST_WAITING = 100_000;
const MOST_LISTED = 20;
const ROWS_A_ROUND = 10_000;
const MAX_ERROR = 500;

/**
 * Tells people by mail what was raised: gathers it, makes one mail of it, and sends that until the server takes it.
 *
 * INVARIANTS
 * - Of any number of dispatchers one makes a mail and sends it: the mail's row bears a lease.
 * - Nothing is lost silently. What no mail can be sent for waits in the database; past `giveUpAfterMs` the next mail that
 *   goes says how many there were, and `mega alert list` shows them.
 * - A mail is sent twice only when its sender dies, or loses the database or the connection to the mail server, after
 *   the server took it and before that was written down, or when the server takes longer than a minute; and then under
 *   the same message id.
 *
 * waiting → (gathered) a mail under way → sent, or (failed) under way until the next try → given up
 */
export class Mailer implements AsyncDisposable {
  #context: Context;
  #stop = new AbortController();
  /** Sent, but not yet known to the database. */
  #unmarked: string | undefined;
  #lastTrouble = '';

  constructor(context: Context) {
    this.#context = context;
  }

  /** A mail that is being sent is given a moment; then its try counts as failed, and another dispatcher tries again. */
  async [Symbol.asyncDispose](): Promise<void> {
    setTimeout(() => this.#stop.abort(), STOP_MS).unref();
  }

  async step(): Promise<void> {
    const { db, config, id: owner } = this.#context;
    if (this.#unmarked !== undefined) await this.#markSent(this.#unmarked);
    const standing = await alertStanding(db);
    if (standing.oldest !== null) await this.#passOver();
    if (!config.mail) return;
    const plan = this.#plan();
    const lease = { owner, leaseMs: LEASE_MS };
    if (standing.underWay) await this.#send(await leaseMail(db, lease));
    else if (plan.isDue(standing)) await this.#send(await makeMail(db, lease, plan));
  }

  /** What waited too long is no longer mailed, and what is old is forgotten. */
  async sweep(): Promise<void> {
    const { db, config, logger } = this.#context;
    const { giveUpAfterMs, keepMs } = config.alerts;
    const givenUp =
      (await giveUpMail(db, giveUpAfterMs)) + (await giveUpWaiting(db, giveUpAfterMs, MOST_WAITING));
    if (givenUp > 0)
      logger.error(
        { alerts: givenUp },
        'no mail could be sent for too long; mega alert list shows what it was',
      );
    await forgetOld(db, keepMs, ROWS_A_ROUND);
  }

  #plan(): MailPlan {
    const { alerts } = this.#context.config;
    return {
      kinds: alerts.kinds,
      isDue: (standing) => isMailDue(standing, alerts),
      heldBack: (standing, rows) => heldBackOf(standing, rows, alerts),
      mostAlerts: MOST_ALERTS,
    };
  }

  /** What nobody wants mailed is logged, and listed. */
  async #passOver(): Promise<void> {
    const { db, config, logger } = this.#context;
    const wanted: AlertKind[] = config.mail ? config.alerts.kinds : [];
    const unwanted = ALERT_KINDS.filter((kind) => !wanted.includes(kind));
    if (unwanted.length === 0) return;
    const alerts = await db.transaction(async (tx) => {
      const rows = await lockWaiting(tx, unwanted, MOST_ALERTS);
      await takeUp(
        tx,
        rows.map((one) => one.id),
        null,
      );
      return rows;
    });
    for (const { kind, count, first } of sectionsIn(alerts)) {
      const told = first.map(({ about, text }) => `${about}: ${text}`);
      logger.warn({ alert: kind, told }, titleOf({ kind, count }));
    }
  }

  async #send(mail: AlertMail | undefined): Promise<void> {
    if (!mail) return;
    const { db, config, logger, id: owner } = this.#context;
    try {
      await this.#deliver(mail);
    } catch (error) {
      const text = describe(error).slice(0, MAX_ERROR);
      if (text !== this.#lastTrouble)
        logger.warn({ mail: mail.id, error: text }, 'a mail was not sent; it waits');
      this.#lastTrouble = text;
      return markFailed(db, mail.id, owner, text, config.alerts.retryMs);
    }
    this.#lastTrouble = '';
    this.#unmarked = mail.id;
    await this.#markSent(mail.id);
  }

  async #deliver(mail: AlertMail): Promise<void> {
    const { db, config, logger } = this.#context;
    const settings = config.mail!;
    const sections = await sectionsOf(db, mail.id, MOST_LISTED);
    const givenUp = await countGivenUp(db, mail.id);
    const { maxPerHour } = config.alerts;
    const written = compose({ sections, heldBack: mail.heldBack, maxPerHour, givenUp });
    const how = { name: mail.id, to: settings.to, retries: RETRIES, timeoutMs: settings.timeoutMs };
    const sending = deliver(this.#context, settings, { ...written, ...how });
    const late = () =>
      new UnavailableError('mail_failed', `the mail server was too slow: over ${SEND_MS} ms`);
    await this.#unlessStopped(withDeadline(sending, SEND_MS, late));
    const told = sections.map(titleOf);
    logger.info({ mail: mail.id, tries: mail.tries, told }, 'alerts were mailed');
  }

  async #markSent(id: string): Promise<void> {
    await markSent(this.#context.db, id);
    this.#unmarked = undefined;
  }

  /** Does not wait for what is still under way when we have been stopping for a moment. */
  #unlessStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#stop;
    const { promise, reject } = Promise.withResolvers<never>();
    const stop = () => reject(new UnavailableError('mail_failed', 'the dispatcher stopped while it sent'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', stop));
  }
}

/** As a mail has them. */
function sectionsIn(alerts: RaisedAlert[]): Section[] {
  return [...Map.groupBy(alerts, (one) => one.kind)].map(([kind, all]) => {
    return { kind, count: all.length, first: all.slice(0, MOST_LISTED) };
  });
}
