import { UnavailableError } from '../../lib/errors.ts';
import type { Context } from '../context.ts';
import { Absences } from './absences.ts';
import { Mailer } from './mailer.ts';
import type { Troubles } from './troubles.ts';

const MAIL_MS = 1_000;
const HOSTS_MS = 10_000;
const SWEEP_MS = 60_000;

type Means = {
  loop(name: string, pauseMs: number, step: () => Promise<void>): unknown;
  troubles: Troubles;
  /** For how long this dispatcher has been hearing hosts without a break. */
  steadyMs(): number;
};

/** Starts what raises alerts by itself and what mails them. What it returns is to be disposed of before the loops. */
export function startAlerts(context: Context, { loop, troubles, steadyMs }: Means): AsyncDisposable {
  const { gatherMs, lostAfterMs, giveUpAfterMs } = context.config.alerts;
  const absences = new Absences(context);
  loop('lost hosts', Math.min(HOSTS_MS, lostAfterMs / 4), async () => {
    troubles.note('hearing hosts', steadyMs() > 0 ? undefined : DEAF);
    await absences.step(steadyMs());
  });
  const mailer = new Mailer(context);
  loop('alerts', Math.min(MAIL_MS, gatherMs), () => mailer.step());
  loop('old alerts', Math.min(SWEEP_MS, giveUpAfterMs / 2), () => mailer.sweep());
  return mailer;
}

const DEAF = new UnavailableError(
  'broker_unavailable',
  'what hosts say cannot be read or written down: the log says whether it is the broker or the database',
);
