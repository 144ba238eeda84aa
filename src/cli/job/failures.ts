import type { Task } from '../answers.ts';
import { clean } from '../text.ts';
import { labelOf } from './track.ts';
import { failureLine } from './view.ts';

/**
 * Failed hosts in at most `room` lines of `width`: those that failed alike are told together, since what they have in common is
 * what matters. `told`: how many hosts are named.
 */
export function failureRows(failed: Task[], room: number, width: number): { rows: string[]; told: number } {
  const alike = Map.groupBy(failed, ({ state, phase, reason }) => `${labelOf(state, phase)}: ${reason}`);
  const rows: string[] = [];
  let told = 0;
  for (const tasks of alike.values()) {
    const left = room - rows.length;
    if (left < 1 || (tasks.length > 1 && left < 2)) break;
    const names = namesIn(tasks, width);
    rows.push(...(tasks.length === 1 ? [failureLine(tasks[0]!)] : [causeOf(tasks[0]!), `  ${names.text}`]));
    told += tasks.length === 1 ? 1 : names.count;
  }
  return { rows, told };
}

const causeOf = ({ state, phase, reason }: Task) =>
  clean(`${labelOf(state, phase)}${reason ? `: ${reason}` : ''}`);

/** As many as have room in one line. */
function namesIn(tasks: Task[], width: number): { text: string; count: number } {
  let text = '';
  let count = 0;
  for (const { host } of tasks) {
    const longer = text === '' ? host : `${text} ${host}`;
    if (count > 0 && longer.length > width) break;
    text = longer;
    count++;
  }
  return { text: clean(text), count };
}
