import { boundOf } from '../../lib/limits.ts';
import { formatDuration } from '../../lib/utils.ts';
import type { Job, JobWithCounts, WaitingFor } from '../answers.ts';
import { clean, instant, span } from '../text.ts';
import { countsOf } from './states.ts';
import { waveUnderWay } from './waves.ts';

/** `upgrade to 1.1.0 on all`: as its command reads; a downgrade that was asked for is called so. */
export function whatOf(job: Pick<Job, 'type' | 'args' | 'target'>): string {
  const to = typeof job.args.to === 'string' ? ` to ${job.args.to}` : '';
  const script = typeof job.args.script === 'string' ? ` ${job.args.script}` : '';
  const downgrade = job.args.downgrade === true ? ' (downgrade allowed)' : '';
  return clean(`${job.type.replace(/^client_/, '')}${to}${script}${downgrade} on ${job.target}`);
}

/** `job <id> succeeded in 12.3 s: 3 succeeded, 1 skipped` */
export function summaryOf(job: JobWithCounts): string {
  return `job ${job.id} ${job.state} in ${lifeOf(job)}: ${countsOf(job.counts)}`;
}

export function lifeOf({ createdAt, startedAt, finishedAt }: JobWithCounts): string {
  const end = finishedAt === null ? Date.now() : Date.parse(finishedAt);
  return formatDuration(Math.max(0, end - Date.parse(startedAt ?? createdAt)));
}

/** `4, limit 3: 2 failed, 2 rolled_back`; undefined where nobody counts them. */
export function errorsOf(job: JobWithCounts): string | undefined {
  const { errors, errorKinds = {}, limits } = job;
  const bound = limits?.maxErrors;
  if (errors === undefined || (errors === 0 && bound === undefined)) return undefined;
  const kinds = Object.entries(errorKinds).map(([kind, n]) => `${n} ${kind}`);
  return `${errors}, ${boundIn(job)}${kinds.length > 0 ? `: ${kinds.join(', ')}` : ''}`;
}

function boundIn(job: JobWithCounts): string {
  const bound = job.limits?.maxErrors;
  if (bound === undefined) return 'without a limit';
  if (typeof bound === 'number') return `limit ${bound}`;
  const { wave, hosts } = waveUnderWay(job);
  return `limit ${boundOf(bound, hosts)} (${bound} of the ${hosts} hosts of wave ${wave})`;
}

/** A person is needed: without one the job goes no further. */
export function needsPerson(job: JobWithCounts): boolean {
  return job.state === 'paused' || job.waitingFor?.what === 'approval';
}

export type Remedy = [what: string, command: string];

/** Why the job does not go on at full speed, and what can be done; undefined when nothing holds it. */
export function heldBy(job: JobWithCounts): { why: string; remedies: Remedy[] } | undefined {
  const { id, waitingFor } = job;
  if (job.state === 'paused') {
    return { why: `paused: ${job.pausedReason ?? 'no reason was given'}`, remedies: afterPause(id) };
  }
  if (!waitingFor) return undefined;
  return {
    why: `waits for ${waitingFor.text}${untilOf(waitingFor.until)}`,
    remedies: REMEDIES[waitingFor.what]?.(id) ?? [],
  };
}

/** `, until 2026-11-24 12:00:00 UTC (in 30 s)` */
function untilOf(iso: string | null, now = Date.now()): string {
  if (iso === null) return '';
  const aheadMs = Date.parse(iso) - now;
  return `, until ${instant(iso)} UTC${aheadMs > 0 ? ` (in ${span(aheadMs)})` : ''}`;
}

const afterPause = (id: string): Remedy[] => [
  ['which and why', `mega job show ${id}`],
  ['go on', `mega job resume ${id}`],
  ['failed again', `mega job retry ${id} --failed`],
  ['end it', `mega job cancel ${id}`],
];

const REMEDIES: Record<WaitingFor['what'], (id: string) => Remedy[]> = {
  approval: (id) => [
    ['look', `mega job show ${id}`],
    ['let it go on', `mega job approve ${id}`],
    ['end it', `mega job cancel ${id}`],
  ],
  frozen: () => [['let all go on', 'mega unfreeze']],
  hosts: (id) => [['which', `mega job show ${id}`]],
  pause: () => [],
  window: () => [['when', 'mega window list']],
};

/** `  go on:  mega job resume <id>`, one below the other. */
export function remedyLines(remedies: Remedy[]): string[] {
  const width = Math.max(...remedies.map(([what]) => what.length));
  return remedies.map(([what, command]) => `  ${`${what}:`.padEnd(width + 1)} ${command}`);
}
