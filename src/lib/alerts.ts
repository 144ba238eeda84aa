/** What people are told of by mail. */
export const ALERT_KINDS = [
  'job_paused',
  'job_failed',
  'job_finished',
  'schedule_missed',
  'quarantined',
  'host_lost',
  'host_back',
  'expiring',
  'trouble',
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];
