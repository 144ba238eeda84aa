import type { JobWithCounts, WaveCounts } from '../answers.ts';
import { type Counts, endedOf, total } from './states.ts';

/** A job without waves, and one of a dispatcher that does not tell them, is one wave. */
export function wavesOf(job: JobWithCounts): WaveCounts[] {
  if (job.waves && job.waves.length > 0) return job.waves;
  return [{ wave: 1, hosts: total(job.counts), counts: job.counts }];
}

export const hasEndedIn = (wave: WaveCounts) => endedOf(wave.counts) >= wave.hosts;

/** These a task may have before its wave has begun. */
const UNTOUCHED = new Set(['pending', 'skipped', 'cancelled', 'expired', 'undeliverable']);
const hasBegun = (counts: Counts) => Object.keys(counts).some((state) => !UNTOUCHED.has(state));

/** Where its dispatcher does not tell, the last wave that has begun, whatever hosts of earlier ones are still waited for. */
export function waveUnderWay(job: JobWithCounts): WaveCounts {
  const waves = wavesOf(job);
  return (
    waves.find(({ wave }) => wave === job.wave) ??
    waves.findLast(({ counts }) => hasBegun(counts)) ??
    waves.find((one) => !hasEndedIn(one)) ??
    waves.at(-1)!
  );
}

const KIND_MARKS = [
  ['good', '#'],
  ['bad', 'x'],
  ['cancelled', '-'],
  ['moving', '>'],
] as const;

/**
 * `[#######xx>>>.....]`: ended well, badly, cancelled, under way, waiting. One host in ten thousand that failed has its
 * letter, and the bar is full only when all have ended.
 */
export function barOf({ hosts, counts }: WaveCounts, width: number): string {
  const shares = KIND_MARKS.map(([kind, mark]) => ({ mark, n: total(counts, kind) }));
  const cells = shares.map(({ n }) => (n === 0 ? 0 : Math.max(1, Math.floor((n * width) / hosts))));
  const sum = () => cells.reduce((all, one) => all + one, 0);
  const widest = () => cells.indexOf(Math.max(...cells));
  const waits = hosts > shares.reduce((all, { n }) => all + n, 0);
  const most = waits ? width - 1 : width;
  while (sum() > most) cells[widest()]!--;
  if (!waits && hosts > 0) cells[widest()]! += width - sum();
  const text = shares.map(({ mark }, i) => mark.repeat(cells[i]!)).join('');
  return `[${text.padEnd(width, '.')}]`;
}

/** `412 of 999 ended, 3 failed` */
export function progressOf({ hosts, counts }: WaveCounts): string {
  const bad = total(counts, 'bad');
  return `${endedOf(counts)} of ${hosts} ended${bad > 0 ? `, ${bad} failed` : ''}`;
}
