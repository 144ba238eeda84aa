import type { Limits } from '../../lib/limits.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Task } from '../answers.ts';

/**
 * What would become of a host. `unknown`: its agent is of before dry runs. `silent`: it took the question, and did not
 * answer it.
 */
export type Would = 'upgrade' | 'nothing' | 'wait' | 'postpone' | 'refuse' | 'unknown' | 'silent';
export type Forecast = {
  host: string;
  wave: number;
  would: Would;
  from: string | null;
  /** To be fetched: the release, and its Node.js where the host does not have it. */
  bytes: number;
  runtimeBytes: number;
  reason: string | null;
};

/** Reads a task of a check. Pure. */
export function forecastOf(task: Task): Forecast {
  const { host, wave = 1, fromVersion, running, output } = task;
  const would = wouldOf(task);
  const size = (value: unknown) => (typeof value === 'number' ? value : 0);
  const about = { host, wave, would, from: running ?? fromVersion };
  const fetched = { bytes: size(output?.bytes), runtimeBytes: size(output?.runtime) };
  if (would === 'unknown')
    return { ...about, ...fetched, reason: 'its agent is of before dry runs, and cannot say' };
  return { ...about, ...fetched, reason: would === 'upgrade' ? fetchesOf(fetched) : task.reason };
}

function wouldOf({ state, phase, reason, args }: Task): Would {
  if (state === 'succeeded') return 'upgrade';
  if (state === 'skipped') return args.instead === 'nothing' ? 'nothing' : 'wait';
  if (state === 'expired' || state === 'undeliverable') return 'wait';
  if (state !== 'rejected') return 'silent';
  if (/^unknown task type/.test(reason ?? '')) return 'unknown';
  return phase === 'postponed' ? 'postpone' : 'refuse';
}

function fetchesOf({ bytes, runtimeBytes }: Pick<Forecast, 'bytes' | 'runtimeBytes'>): string {
  const runtime = runtimeBytes > 0 ? `, and its Node.js with ${formatSize(runtimeBytes)}` : '';
  return `fetches ${formatSize(bytes)}${runtime}`;
}

/** Of such hosts some are not upgraded, though they are there. */
export const isTrouble = ({ would }: Forecast) => ['postpone', 'refuse', 'silent'].includes(would);

export type Estimate = { ms: number; pausesMs: number; approvals: number };

/**
 * How long it would take if each host took as long as the earlier ones in the middle: wave after wave, as many at once
 * and as many in a second as may, with the pauses between. Waiting for an operator is not in it. Pure.
 */
export function estimate(forecasts: Forecast[], limits: Limits | null, medianMs: number): Estimate {
  const moving = forecasts.filter(({ would }) => would === 'upgrade' || would === 'unknown');
  const waves = [...Map.groupBy(moving, (one) => one.wave).values()].map((hosts) => hosts.length);
  const between = Math.max(0, waves.length - 1);
  const { pauseBetween = 0 } = limits ?? {};
  const pausesMs = pauseBetween === 'approve' ? 0 : between * pauseBetween;
  const workMs = waves.reduce((sum, hosts) => sum + waveMs(hosts, limits, medianMs), 0);
  return { ms: workMs + pausesMs, pausesMs, approvals: pauseBetween === 'approve' ? between : 0 };
}

function waveMs(hosts: number, limits: Limits | null, medianMs: number): number {
  const { maxConcurrency = hosts, rate } = limits ?? {};
  const byTurns = Math.ceil(hosts / maxConcurrency) * medianMs;
  const byRate = rate === undefined ? 0 : ((hosts - 1) * 1000) / rate + medianMs;
  return Math.max(byTurns, byRate);
}
