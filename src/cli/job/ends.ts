import type { Call } from '../../lib/sender.ts';
import type { JobWithCounts, Task } from '../answers.ts';
import { tasksOf } from '../session.ts';
import type { Room } from '../world.ts';
import { follow } from './follow.ts';
import { tellHowToGoOn } from './watch.ts';

const OPEN = new Set(['pending', 'queued', 'accepted', 'running', 'cancelling']);
const LOOK_MS = 500;
/** Outputs fetched side by side. */
const AT_ONCE = 8;

/**
 * Shows each task of a job as soon as it has ended, with all of its output; the job once it has ended, or undefined when
 * Ctrl-C came first, which ends the watching and not the job.
 */
export async function watchEnds(
  room: Room,
  call: Call,
  id: string,
  show: (task: Task) => void,
): Promise<JobWithCounts | undefined> {
  const signal = room.interrupt();
  const shown = new Set<string>();
  const onTrouble = (text: string) => room.err.write(`mega: ${text}\n`);
  let last: JobWithCounts | undefined;
  try {
    for await (const { job } of follow(call, id, { signal, tasks: false, jobMs: LOOK_MS, onTrouble })) {
      last = job;
      const states = Object.keys(job.counts).filter((state) => !OPEN.has(state));
      if (countOf(job, states) > shown.size) await showNew(call, id, { states, shown, show });
    }
    return last;
  } catch (error) {
    if (!signal.aborted) throw error;
    tellHowToGoOn(room.err, id);
    return undefined;
  }
}

const countOf = ({ counts }: JobWithCounts, states: string[]) =>
  states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);

type News = { states: string[]; shown: Set<string>; show: (task: Task) => void };

async function showNew(call: Call, job: string, { states, shown, show }: News): Promise<void> {
  const ended = await tasksOf(call, job, Number.POSITIVE_INFINITY, { states });
  const fresh = ended.filter((task) => !shown.has(task.id));
  for (let at = 0; at < fresh.length; at += AT_ONCE) {
    const some = fresh.slice(at, at + AT_ONCE);
    for (const task of await Promise.all(some.map(({ id }) => call<Task>('get_task', { id })))) {
      shown.add(task.id);
      show(task);
    }
  }
}
