import type { Queryable } from '../../lib/conn.ts';
import { remindOf } from './raise.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Once a week, and daily in the last one and after the end: pure. */
export const remindEveryMs = (leftMs: number) => (leftMs > 7 * DAY_MS ? 7 * DAY_MS : DAY_MS);

/** Those who look each day do not all look at the same minute. */
const SLACK_MS = HOUR_MS;

/** `about`: `root.json`, `the certificate of the broker (rabbit.example.org)`. That it is over is news of its own. */
export async function remindOfEnd(db: Queryable, about: string, ends: Date, text: string): Promise<void> {
  const leftMs = ends.getTime() - Date.now();
  const alert = { kind: 'expiring' as const, about: leftMs < 0 ? `${about}, expired` : about, text };
  await remindOf(db, alert, remindEveryMs(leftMs) - SLACK_MS);
}
