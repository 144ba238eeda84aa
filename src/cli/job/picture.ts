import type { JobWithCounts, Task, WaveCounts } from '../answers.ts';
import { clean, clock, wrap } from '../text.ts';
import { failureRows } from './failures.ts';
import type { Snapshot } from './follow.ts';
import { countsOf, endedOf, total } from './states.ts';
import type { Standing } from './track.ts';
import { slowLine, standingLine } from './view.ts';
import { barOf, progressOf, wavesOf, waveUnderWay } from './waves.ts';
import { errorsOf, heldBy, lifeOf, needsPerson, remedyLines, whatOf } from './words.ts';

export type Line = { text: string; tint?: 'bold' | 'red' | 'yellow' };
export type Size = { columns: number; rows: number };
export type Shown = {
  seen: Snapshot;
  /** Of a small job: where each host is. */
  standings: Standing[];
  pace: string | undefined;
  trouble: string | undefined;
};

/**
 * A job as lines for a terminal of this size: what it is, a bar for each wave, counts, pace, what holds it, and in the room
 * that is left its hosts. Lines may be longer than the terminal is wide; there are never more of them than rows.
 */
export function pictureOf({ seen, standings, pace, trouble }: Shown, size: Size): Line[] {
  const { job } = seen;
  const errors = errorsOf(job);
  const about: Line[] = [
    { text: `${whatOf(job)}: ${job.state}, ${lifeOf(job)}`, tint: 'bold' },
    ...waveLines(job),
    ...paragraph(countsOf(job.counts), size, 2),
    ...(pace === undefined ? [] : [{ text: `  ${pace}` }]),
    ...(errors === undefined ? [] : paragraph(`errors: ${errors}`, size, 2)),
    ...heldLines(job, size),
    ...(trouble === undefined ? [] : paragraph(trouble, size, 3, 'red')),
  ];
  const room = Math.max(1, size.rows - SPARE_ROWS);
  const hosts =
    standings.length > 0
      ? eachHost(standings, room - about.length)
      : someHosts(seen, room - about.length, size.columns);
  return [...about, ...hosts].slice(0, room);
}

/** For the prompt, and for a line of what stood there before. */
const SPARE_ROWS = 2;
const INDENT = 2;

function paragraph(text: string, size: Size, most: number, tint?: Line['tint']): Line[] {
  const lines = wrap(text, size.columns, INDENT).split('\n').slice(0, most);
  return lines.map((line) => (tint ? { text: line, tint } : { text: line }));
}

const BAR = 30;
const MOST_WAVES = 6;
const WAVES_BEFORE = 1;
const WAVES_AFTER = 2;

/** All of a few waves; of many those around the one under way. */
function waveLines(job: JobWithCounts): Line[] {
  const waves = wavesOf(job);
  if (waves.length <= MOST_WAVES) return waves.map((one) => waveLine(one, waves));
  const at = waves.indexOf(waveUnderWay(job));
  const [from, to] = [Math.max(0, at - WAVES_BEFORE), at + 1 + WAVES_AFTER];
  return [
    ...summed(waves.slice(0, from), 'before'),
    ...waves.slice(from, to).map((one) => waveLine(one, waves)),
    ...summed(waves.slice(to), 'to come'),
  ];
}

function waveLine(wave: WaveCounts, waves: WaveCounts[]): Line {
  const name = waves.length === 1 ? '' : `wave ${wave.wave} `.padEnd(`wave ${waves.length} `.length);
  return { text: `  ${name}${barOf(wave, BAR)} ${progressOf(wave)}` };
}

function summed(waves: WaveCounts[], where: string): Line[] {
  if (waves.length === 0) return [];
  const hosts = waves.reduce((sum, one) => sum + one.hosts, 0);
  const ended = waves.reduce((sum, { counts }) => sum + endedOf(counts), 0);
  return [{ text: `  ${waves.length} waves ${where}: ${ended} of ${hosts} ended` }];
}

function heldLines(job: JobWithCounts, size: Size): Line[] {
  const held = heldBy(job);
  if (!held) return [];
  const person = needsPerson(job);
  return [
    ...paragraph(held.why, size, 3, person ? 'yellow' : undefined),
    ...remedyLines(held.remedies).map((text) => ({ text: `  ${text}` })),
    ...(person ? [{ text: '  watching goes on meanwhile; Ctrl-C ends it, and not the job' }] : []),
  ];
}

/** The failed ones first, then whoever moved last; each in a steady order, so that a line stays where the eye has found it. */
function eachHost(standings: Standing[], room: number): Line[] {
  const urgent = standings.toSorted((a, b) => Number(b.failed) - Number(a.failed) || b.since - a.since);
  const most = standings.length <= room ? room : room - 1;
  const steady = urgent
    .slice(0, Math.max(0, most))
    .toSorted((a, b) => Number(b.failed) - Number(a.failed) || a.host.localeCompare(b.host));
  const lines = steady.map((one) => rowOf(`${clock(one.since)} ${standingLine(one)}`, one.failed));
  return standings.length > most ? [...lines, { text: `  and ${standings.length - most} more` }] : lines;
}

/** Of a large job: some that failed, and those that have been at it for longest, unless the failed ones hold it up. */
function someHosts({ job, failed, slowest }: Snapshot, room: number, width: number): Line[] {
  const more = slowest.length > 0 && !(needsPerson(job) && failed.length > 0);
  const slow = more ? ['slowest:', ...slowest.map((task) => `  ${slowLine(task)}`)] : [];
  const forFailed = Math.max(room - slow.length, Math.ceil(room / 2));
  return [...failedHosts(job, failed, forFailed, width), ...slow.map((text) => ({ text: `  ${text}` }))];
}

function failedHosts(job: JobWithCounts, failed: Task[], room: number, width: number): Line[] {
  const all = total(job.counts, 'bad');
  if (failed.length === 0 || room < 2) return [];
  const { rows, told } = failureRows(failed, room - 2, width - 2 * INDENT - INDENT);
  const more = all - told;
  const rest = more > 0 ? [{ text: `    and ${more} more: mega job show ${job.id}` }] : [];
  return [{ text: '  failed:' }, ...rows.map((row) => rowOf(`  ${row}`, true)), ...rest];
}

const rowOf = (text: string, failed: boolean): Line => {
  const line = { text: `  ${clean(text)}` };
  return failed ? { ...line, tint: 'red' } : line;
};
