import { formatDuration } from '../../lib/utils.ts';
import type { AuditedCall, JobWithCounts, Task, WaveCounts } from '../answers.ts';
import { type Column, pairs, table } from '../table.ts';
import { clean, instant, moment } from '../text.ts';
import { toldLimits } from './limit-words.ts';
import { SILENT_COLUMNS } from './silent.ts';
import { countsOf } from './states.ts';
import { labelOf } from './track.ts';
import { hasEndedIn, wavesOf } from './waves.ts';
import { errorsOf, heldBy, remedyLines, whatOf } from './words.ts';

/** Of each list some; whether there are more, one row beyond those that are told says. */
export type Story = {
  job: JobWithCounts;
  /** They have answered, and not well. */
  failed: Task[];
  /** They have not answered. */
  silent: Task[];
  /** Another try came in their place. */
  retried: Task[];
  /** The latest of what people did with the job, the first first. */
  acts: AuditedCall[];
};

/** So many hosts of a kind are told. */
export const MOST_HOSTS = 20;

/** All that is known of a job, in paragraphs. */
export function storyOf({ job, failed, silent, retried, acts }: Story, width: number): string {
  const list = `mega task list --job ${job.id}`;
  const paragraphs = [
    aboutJob(job),
    table(wavesOf(job), WAVE_COLUMNS, width),
    acts.length === 0 ? '' : `Who did what:\n${table(acts, ACT_COLUMNS, width)}`,
    hosts('Did not succeed', failed, FAILED_COLUMNS, width, `${list} --state ${statesIn(failed)}`),
    hosts('Did not answer', silent, SILENT_COLUMNS, width, `${list} --silent`),
    hosts('Tried again', retried, FAILED_COLUMNS, width, `${list} --retried`),
  ];
  return paragraphs.filter((one) => one !== '').join('\n');
}

function aboutJob(job: JobWithCounts): string {
  const held = heldBy(job);
  const about = pairs([
    ['job', job.id],
    ['what', whatOf(job)],
    ['state', job.state],
    ...(held ? [['why', held.why] satisfies [string, string]] : []),
    ['limits', toldLimits(job.limits)],
    ['hosts', countsOf(job.counts)],
    ['errors', errorsOf(job) ?? 'none'],
    ['made', `${moment(job.createdAt)} by ${job.createdBy}`],
    ['started', moment(job.startedAt ?? job.createdAt)],
    ['finished', moment(job.finishedAt)],
  ]);
  return held ? `${about}${remedyLines(held.remedies).join('\n')}\n` : about;
}

const WAVE_COLUMNS: Column<WaveCounts>[] = [
  { title: 'WAVE', cell: ({ wave }) => String(wave), right: true },
  { title: 'HOSTS', cell: ({ hosts }) => String(hosts), right: true },
  { title: 'BEGAN (UTC)', cell: ({ startedAt }) => (startedAt ? instant(startedAt) : '-') },
  { title: 'TOOK', cell: tookOf, right: true },
  { title: 'HOW', cell: ({ counts }) => countsOf(counts), shrinks: true },
];

function tookOf(wave: WaveCounts): string {
  const { startedAt, finishedAt } = wave;
  if (!startedAt || !finishedAt || !hasEndedIn(wave)) return '-';
  return formatDuration(Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)));
}

const ACT_COLUMNS: Column<AuditedCall>[] = [
  { title: 'TIME (UTC)', cell: ({ at }) => instant(at) },
  { title: 'WHO', cell: ({ who }) => who },
  { title: 'DID', cell: ({ fn }) => fn },
  { title: 'OUTCOME', cell: ({ outcome }) => outcome ?? 'not known', shrinks: true },
];

const FAILED_COLUMNS: Column<Task>[] = [
  { title: 'HOST', cell: (task) => task.host },
  { title: 'HOW', cell: (task) => labelOf(task.state, task.phase) },
  { title: 'RUNS', cell: (task) => task.running ?? '-' },
  { title: 'REASON', cell: (task) => task.reason ?? '', shrinks: true },
];

const statesIn = (tasks: Task[]) => [...new Set(tasks.map(({ state }) => state))].join(',');

function hosts(title: string, tasks: Task[], columns: Column<Task>[], width: number, all: string): string {
  if (tasks.length === 0) return '';
  const more = tasks.length > MOST_HOSTS ? `and more: ${clean(all)}\n` : '';
  return `${title}:\n${table(tasks.slice(0, MOST_HOSTS), columns, width)}${more}`;
}
