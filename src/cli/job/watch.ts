import type { Call } from '../../lib/sender.ts';
import type { JobWithCounts, Task } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { tasksOf } from '../session.ts';
import { type Column, printJson, table, widthOf } from '../table.ts';
import type { Output, Room } from '../world.ts';
import { follow, hasEnded } from './follow.ts';
import { lineView, quietView } from './lines.ts';
import { screenView } from './screen.ts';
import type { View } from './view.ts';
import { needsPerson, summaryOf } from './words.ts';

type Options = { json?: true };

/**
 * Watches a job to its end. With `json` the view goes to stderr and stdout gets the job with its tasks.
 * Ctrl-C ends the watching, never the job. So does a job that waits for a person, where there is no terminal with one.
 */
export async function watchJob(room: Room, call: Call, id: string, options: Options): Promise<number> {
  const output = options.json ? room.err : room.out;
  const view = output.isTTY && !room.dumb ? screenView(output) : lineView(output);
  const job = await followToEnd(room, call, id, { view, tasks: true, patient: output.isTTY === true });
  if (!job) return EXIT.interrupted;
  if (options.json) printJson(room.out, await withTasks(call, job));
  else if (hasEnded(job.state)) room.out.write(`${summaryOf(job)}\n`);
  return exitOf(room, job);
}

/** The same for jobs that are short: nothing moves, and at the end stands a table of all hosts. */
export async function awaitJob(room: Room, call: Call, id: string, options: Options): Promise<number> {
  const view = quietView(room.err);
  const job = await followToEnd(room, call, id, { view, tasks: false, patient: room.err.isTTY === true });
  if (!job) return EXIT.interrupted;
  const answer = await withTasks(call, job);
  if (options.json) printJson(room.out, answer);
  else room.out.write(`${table(answer.tasks, ENDED_COLUMNS, widthOf(room.out))}${summaryOf(job)}\n`);
  return exitOf(room, job);
}

function exitOf(room: Room, job: JobWithCounts): number {
  if (job.state === 'succeeded') return EXIT.good;
  if (hasEnded(job.state)) return EXIT.failed;
  tellHowToGoOn(room.err, job.id);
  return EXIT.held;
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

type Watching = {
  view: View;
  tasks: boolean;
  /** A person is there: watching goes on while the job waits for one. */
  patient: boolean;
};

/** Undefined when Ctrl-C came first. */
async function followToEnd(room: Room, call: Call, id: string, { view, tasks, patient }: Watching) {
  const signal = room.interrupt();
  let job: JobWithCounts | undefined;
  try {
    for await (const seen of follow(call, id, { signal, tasks, onTrouble: view.note })) {
      view.show(seen);
      job = seen.job;
      if (!patient && needsPerson(job)) break;
    }
    return job;
  } catch (error) {
    if (!signal.aborted) throw error;
    tellHowToGoOn(room.err, id);
    return undefined;
  } finally {
    view.close();
  }
}

export function tellHowToGoOn(output: Output, id: string): void {
  output.write(`mega: the job goes on; watch it with: mega job watch ${id}\n`);
}
