import { formatDuration } from '../../lib/utils.ts';
import type { Job, JobWithCounts } from '../answers.ts';
import { clean, clock, cut } from '../text.ts';
import type { Output } from '../world.ts';
import type { Snapshot } from './follow.ts';
import { type Standing, Tracker } from './track.ts';

/** What shows a job while it runs. */
export type View = {
  show(seen: Snapshot): void;
  note(text: string): void;
};

/** For pipes and logs: a line for each change of a host's phase. */
export function lineView(output: Output): View {
  const tracker = new Tracker();
  return {
    show: ({ tasks }) => {
      for (const one of tracker.update(tasks)) {
        if (one.label !== 'pending') output.write(`${clock(one.since)} ${lineOf(one)}\n`);
      }
    },
    note: (text) => output.write(`${clock(Date.now())} ${clean(text)}\n`),
  };
}

const MOST_LINES = 20;
/** A terminal keeps room for what was there before and for the prompt. */
const SPARE_ROWS = 5;

/** For a terminal: counts, then hosts, rewritten in place; the failed ones first, then whoever moved last. */
export function screenView(output: Output): View {
  const tracker = new Tracker();
  let shown = 0;
  let trouble = '';
  let last: Snapshot | undefined;
  const draw = () => {
    const width = (output.columns ?? 80) - 1; // a full line would wrap and upset the count of lines
    const room = Math.max(1, Math.min(MOST_LINES, (output.rows ?? 24) - SPARE_ROWS));
    const lines = last ? [headOf(last.job), countsOf(last.job.counts), ...hostLines(tracker, room)] : [];
    if (trouble) lines.push(clean(trouble));
    const up = shown > 0 ? `\x1b[${shown}A\r\x1b[0J` : '';
    output.write(up + lines.map((line) => `${cut(line, width)}\n`).join(''));
    shown = lines.length;
  };
  return {
    show: (seen) => {
      tracker.update(seen.tasks);
      last = seen;
      trouble = '';
      draw();
    },
    note: (text) => {
      trouble = text;
      draw();
    },
  };
}

/** `upgrade to 1.1.0 on all`: as its command reads; a downgrade that was asked for is called so. */
export function whatOf(job: Pick<Job, 'type' | 'args' | 'target'>): string {
  const to = typeof job.args.to === 'string' ? ` to ${job.args.to}` : '';
  const script = typeof job.args.script === 'string' ? ` ${job.args.script}` : '';
  const downgrade = job.args.downgrade === true ? ' (downgrade allowed)' : '';
  return clean(`${job.type.replace(/^client_/, '')}${to}${script}${downgrade} on ${job.target}`);
}

export function countsOf(counts: Record<string, number>): string {
  const told = Object.entries(counts).map(([state, n]) => `${n} ${state}`);
  return told.join(', ') || 'no hosts';
}

/** `job <id> succeeded in 12.3 s: 3 succeeded, 1 skipped` */
export function summaryOf(job: JobWithCounts): string {
  return `job ${job.id} ${job.state} in ${lifeOf(job)}: ${countsOf(job.counts)}`;
}

function headOf(job: Job): string {
  return `${whatOf(job)}: ${job.state}, ${lifeOf(job)}`;
}

function lifeOf({ createdAt, finishedAt }: Job): string {
  const end = finishedAt === null ? Date.now() : Date.parse(finishedAt);
  return formatDuration(Math.max(0, end - Date.parse(createdAt)));
}

function hostLines(tracker: Tracker, most: number): string[] {
  const all = [...tracker.standings.values()];
  const urgent = all.toSorted((a, b) => Number(b.failed) - Number(a.failed) || b.since - a.since);
  // In a steady order, so that a line stays where the eye has found it.
  const steady = urgent
    .slice(0, most)
    .toSorted((a, b) => Number(b.failed) - Number(a.failed) || a.host.localeCompare(b.host));
  const lines = steady.map((one) => `  ${clock(one.since)} ${lineOf(one)}`);
  return all.length > most ? [...lines, `  and ${all.length - most} more`] : lines;
}

function lineOf({ host, label, reason }: Standing): string {
  return clean(`${host} ${label}${reason ? `: ${reason}` : ''}`);
}
