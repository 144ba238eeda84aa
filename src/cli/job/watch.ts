import type { Call } from '../../lib/sender.ts';
import type { JobWithCounts, Task } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { tasksOf } from '../session.ts';
import { type Column, printJson, table, widthOf } from '../table.ts';
import type { Output, Room } from '../world.ts';
import { follow } from './follow.ts';
import { lineView, screenView, summaryOf, type View } from './view.ts';

/**
 * Watches a job to its end. With `json` the view goes to stderr and stdout gets the job with its tasks.
 * Ctrl-C ends the watching, never the job.
 */
export async function watchJob(
  room: Room,
  call: Call,
  id: string,
  options: { json?: true },
): Promise<number> {
  const output = options.json ? room.err : room.out;
  const job = await followToEnd(room, call, id, output.isTTY ? screenView(output) : lineView(output));
  if (!job) return EXIT.interrupted;
  if (options.json) printJson(room.out, await withTasks(call, job));
  else room.out.write(`${summaryOf(job)}\n`);
  return job.state === 'succeeded' ? EXIT.good : EXIT.failed;
}

/** The same for jobs that are short: nothing moves, and at the end stands a table of all hosts. */
export async function awaitJob(
  room: Room,
  call: Call,
  id: string,
  options: { json?: true },
): Promise<number> {
  const quiet: View = { show: () => undefined, note: (text) => room.err.write(`mega: ${text}\n`) };
  const job = await followToEnd(room, call, id, quiet, false);
  if (!job) return EXIT.interrupted;
  const answer = await withTasks(call, job);
  if (options.json) printJson(room.out, answer);
  else room.out.write(`${table(answer.tasks, ENDED_COLUMNS, widthOf(room.out))}${summaryOf(job)}\n`);
  return job.state === 'succeeded' ? EXIT.good : EXIT.failed;
}

export const ENDED_COLUMNS: Column<Task>[] = [
  { title: 'HOST', cell: (task) => task.host },
  { title: 'STATE', cell: (task) => task.state },
  { title: 'RUNS', cell: (task) => task.running ?? '-' },
  { title: 'REASON', cell: (task) => task.reason ?? '', shrinks: true },
];

export async function withTasks(call: Call, job: JobWithCounts): Promise<JobWithCounts & { tasks: Task[] }> {
  return { ...job, tasks: await tasksOf(call, job.id, Number.POSITIVE_INFINITY) };
}

/** Undefined when Ctrl-C came first. */
async function followToEnd(
  room: Room,
  call: Call,
  id: string,
  view: View,
  tasks = true,
): Promise<JobWithCounts | undefined> {
  const signal = room.interrupt();
  let job: JobWithCounts | undefined;
  try {
    for await (const seen of follow(call, id, { signal, tasks, onTrouble: view.note })) {
      view.show(seen);
      job = seen.job;
    }
    return job;
  } catch (error) {
    if (!signal.aborted) throw error;
    tellHowToGoOn(room.err, id);
    return undefined;
  }
}

export function tellHowToGoOn(output: Output, id: string): void {
  output.write(`mega: the job goes on; watch it with: mega job watch ${id}\n`);
}
