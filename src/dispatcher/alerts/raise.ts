import type { AlertKind } from '../../lib/alerts.ts';
import { clean } from '../../lib/clean.ts';
import type { Queryable } from '../../lib/conn.ts';
import { withoutSecrets } from '../../lib/errors.ts';
import { addAlerts, wasRaised } from '../store/alerts.ts';

export type Alert = {
  kind: AlertKind;
  /** The host, job, version, ... that it is about. While one of this kind waits, the next about the same renews its text. */
  about: string;
  /** One line: what happened, and what can be done. */
  text: string;
};

const MAX_ABOUT = 255;
const MAX_TEXT = 2_000;

/** Has people told, in the caller's transaction: what is rolled back was never raised. */
export async function raiseAlert(db: Queryable, alert: Alert): Promise<void> {
  await raiseAlerts(db, [alert]);
}

export async function raiseAlerts(db: Queryable, alerts: Alert[]): Promise<void> {
  await addAlerts(db, alerts.map(bounded));
}

/** For what goes on being true: only if nothing of this kind was raised about the same for so long. */
export async function remindOf(db: Queryable, alert: Alert, everyMs: number): Promise<void> {
  const one = bounded(alert);
  if (!(await wasRaised(db, one, everyMs))) await addAlerts(db, [one]);
}

const bounded = ({ kind, about, text }: Alert): Alert => ({
  kind,
  about: clean(about).slice(0, MAX_ABOUT).toWellFormed(),
  text: clean(withoutSecrets(text)).slice(0, MAX_TEXT).toWellFormed(),
});
