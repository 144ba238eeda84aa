import type { Limits } from '../../lib/limits.ts';
import { formatDuration } from '../../lib/utils.ts';

/** `waves 1, 10%, all; 50 at once; 3 errors; 10 m 00 s between waves`: what was asked for, and nothing that was not. */
export function toldLimits(limits: Limits | null | undefined): string {
  if (!limits) return 'none: all hosts at once, whatever fails';
  const { waves, maxConcurrency, maxErrors, pauseBetween, rate, timeoutMs, deadlineMs } = limits;
  const said = [
    waves && `waves ${waves.join(', ')}`,
    maxConcurrency && `${maxConcurrency} at once`,
    rate && `${rate} starts a second`,
    maxErrors === undefined ? 'any number of errors' : `${maxErrors} errors`,
    pauseBetween === undefined ? undefined : pauseOf(pauseBetween),
    timeoutMs && `${formatDuration(timeoutMs)} for each host`,
    deadlineMs && `${formatDuration(deadlineMs)} for hosts that are away`,
    limits.retries && `${limits.retries} retries, the first after ${formatDuration(limits.retryAfterMs)}`,
  ];
  return said.filter((one) => typeof one === 'string').join('; ');
}

const pauseOf = (pause: number | 'approve') =>
  pause === 'approve' ? 'each wave is approved' : `${formatDuration(pause)} between waves`;
