import type { AlertSettings } from '../../lib/alert-settings.ts';
import type { Standing } from '../store/alert-mails.ts';
import type { RaisedAlert } from '../store/alerts.ts';

const HOUR_MS = 3_600_000;

type Pace = Pick<AlertSettings, 'gatherMs' | 'maxPerHour'>;

/**
 * When the next mail goes: pure. The first alert after a quiet time waits only for those that come along with it; while
 * they keep coming, mails go so far apart that an hour has no more than `maxPerHour` of them, and what comes between
 * two of them goes with the next.
 */
export function isMailDue(standing: Standing, pace: Pace): boolean {
  const { now, oldest } = standing;
  return (
    oldest !== null && now.getTime() >= Math.max(oldest.getTime() + pace.gatherMs, freeFrom(standing, pace))
  );
}

/** How many of them would have gone before, were it not for the limit. */
export function heldBackOf(standing: Standing, alerts: Pick<RaisedAlert, 'raisedAt'>[], pace: Pace): number {
  const gatheredAt = Math.min(...alerts.map((one) => one.raisedAt.getTime())) + pace.gatherMs;
  if (gatheredAt >= freeFrom(standing, pace)) return 0;
  return alerts.filter((one) => one.raisedAt.getTime() + pace.gatherMs < standing.now.getTime()).length;
}

const freeFrom = ({ lastSent }: Standing, { maxPerHour }: Pace) =>
  lastSent === null ? Number.NEGATIVE_INFINITY : lastSent.getTime() + HOUR_MS / maxPerHour;
