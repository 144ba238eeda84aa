import { scriptOutput } from '../../lib/orders.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Task } from '../answers.ts';
import { type Column, table } from '../table.ts';
import { clean } from '../text.ts';

/** A script's end on one host, as `--json` tells it: what the result holds, and what it is about. */
export function endOf({ host, id: task, job, state, reason, output }: Task): object {
  return { host, state, reason, ...outputIn(output), task, job };
}

function outputIn(output: Task['output']) {
  const parsed = scriptOutput.safeParse(output);
  return parsed.success ? parsed.data : undefined;
}

/** What a script wrote on one host, each line after the host's name. */
export function outputLines(task: Task): string {
  const found = outputIn(task.output);
  const lines = found ? linesOf(found) : [];
  const failed = task.state === 'succeeded' ? [] : [`${task.state}: ${task.reason ?? 'no reason is known'}`];
  return [...lines, ...failed].map((line) => `${task.host} | ${clean(line)}\n`).join('');
}

type Found = NonNullable<ReturnType<typeof outputIn>>;

function linesOf({ encoding, bytes, cut, head, tail }: Found): string[] {
  if (encoding === 'base64') return [`(${formatSize(bytes)} that are no text; --json has them as base64)`];
  const gap = cut > 0 ? [`(... ${formatSize(cut)} are left out ...)`] : [];
  return [...linesIn(head), ...gap, ...linesIn(tail)];
}

const linesIn = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** How often it ended in which way, and where: the good first, then what happened most. */
export function summaryByEnd(tasks: Task[], width: number): string {
  const groups = [...Map.groupBy(tasks, howEnded)].map(([end, of]) => ({
    end,
    hosts: of.map((one) => one.host),
  }));
  const rank = (end: string) => (end === 'exit 0' ? 0 : 1);
  const sorted = groups.toSorted((a, b) => rank(a.end) - rank(b.end) || b.hosts.length - a.hosts.length);
  return table(sorted, COLUMNS, width);
}

type Group = { end: string; hosts: string[] };
const COLUMNS: Column<Group>[] = [
  { title: 'END', cell: (one) => one.end },
  { title: 'HOSTS', cell: (one) => String(one.hosts.length), right: true },
  { title: 'WHICH', cell: (one) => one.hosts.toSorted().join(' '), shrinks: true },
];

/** `exit 3`, `SIGSEGV`, or the state of one that did not end by itself. */
function howEnded({ state, output }: Task): string {
  const found = outputIn(output);
  if (found === undefined || (state !== 'succeeded' && state !== 'failed')) return state;
  if (found.code !== null) return `exit ${found.code}`;
  return found.signal ?? state;
}
