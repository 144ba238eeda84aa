import type { Task } from '../../src/cli/answers.ts';
import { labelOf, type Standing, Tracker } from '../../src/cli/job/track.ts';
import { clean, cut } from '../../src/cli/text.ts';
import { type Colour, colour, isLive, type Stream } from './show.ts';

/** Shows how far each host has come; given looks at the tasks, again and again. */
export type Board = { update(tasks: Task[]): void };

export function boardOn(stream: Stream): Board {
  return isLive(stream) ? new LiveBoard(stream) : new LineBoard(stream);
}

/** For pipes and logs: a line for each change of a host's phase. */
class LineBoard implements Board {
  #stream: Stream;
  #tracker = new Tracker();

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  update(tasks: Task[]): void {
    const changes = this.#tracker.update(tasks).flatMap((one) => {
      const task = tasks.find(({ host }) => host === one.host);
      return task && !WITHOUT_PHASE.has(one.label) ? { ...one, task, at: timeOf(one, task) } : [];
    });
    for (const one of changes.toSorted((a, b) => a.at - b.at)) {
      this.#stream.write(
        `${secondsOf(one.task, one.at)}  ${clean(one.host)}  ${one.label}${reasonOf(one)}\n`,
      );
    }
  }
}

const WITHOUT_PHASE = new Set(['pending', 'queued', 'accepted', 'running']);

/** The host's own word, which is exact; its clock is ours here. */
function timeOf({ label, since }: Standing, { events }: Task): number {
  return events.find((event) => labelOf(event.state, event.phase) === label)?.agentMs ?? since;
}

/** The way of an upgrade that goes well, a letter of the bar for each. */
const WAY = [
  'preflight',
  'downloading',
  'verifying',
  'staging',
  'switching',
  'restarting',
  'watching',
  'completed',
];
const spareRows = 4;

/** For a terminal: a line for each host, rewritten in place. */
class LiveBoard implements Board {
  #stream: Stream;
  #tracker = new Tracker();
  #tasks = new Map<string, Task>();
  #shown = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  update(tasks: Task[]): void {
    this.#tracker.update(tasks);
    for (const task of tasks) this.#tasks.set(task.host, task);
    const room = Math.max(1, (this.#stream.rows || 24) - spareRows);
    const lines = this.#lines(room);
    const up = this.#shown > 0 ? `\x1b[${this.#shown}A\r\x1b[0J` : '';
    this.#stream.write(up + lines.map((line) => `${line}\n`).join(''));
    this.#shown = lines.length;
  }

  /** When there are too many, those that still have a way to go are shown rather than those that have arrived. */
  #lines(room: number): string[] {
    const all = [...this.#tasks.values()].toSorted((a, b) => a.host.localeCompare(b.host));
    if (all.length <= room) return all.map((task) => this.#lineOf(task));
    const urgent = all.toSorted((a, b) => Number(isOver(a)) - Number(isOver(b))).slice(0, room - 1);
    const ended = all.filter(isOver).length;
    const rest = `  and ${all.length - urgent.length} more; ${ended} of ${all.length} have ended`;
    return [...all.filter((task) => urgent.includes(task)).map((task) => this.#lineOf(task)), rest];
  }

  #lineOf(task: Task): string {
    const standing = this.#tracker.standings.get(task.host);
    const label = standing?.label ?? task.state;
    const reason = standing ? reasonOf(standing) : '';
    const until = task.finishedAt === null ? Date.now() : Date.parse(task.finishedAt);
    const text = `  ${clean(task.host)}  ${barOf(label)}  ${secondsOf(task, until)}  ${label}${reason}`;
    const width = (this.#stream.columns || 80) - 1; // a full line would wrap and upset the count of lines
    const line = cut(text, width);
    const tint = tintOf(task, label);
    return tint ? colour(this.#stream, tint, line) : line;
  }
}

/** `[#####   ]` on the way, `[<<<<<<< ]` on the way back, `[<       ]` when that is done. */
function barOf(label: string): string {
  const steps = WAY.indexOf(label) + 1;
  const back = { rolling_back: WAY.length - 1, rolled_back: 1 }[label];
  const filled = back === undefined ? '#'.repeat(steps) : '<'.repeat(back);
  return `[${filled.padEnd(WAY.length)}]`;
}

function tintOf(task: Task, label: string): Colour | undefined {
  if (task.state === 'succeeded') return 'green';
  if (isOver(task) && task.state !== 'skipped') return 'red';
  return label === 'rolling_back' ? 'yellow' : undefined;
}

const isOver = (task: Task) => task.finishedAt !== null;
const reasonOf = ({ reason }: Standing) => (reason ? `: ${clean(reason)}` : '');

/** Since the order was given. */
function secondsOf(task: Task, at: number): string {
  const seconds = Math.max(0, at - Date.parse(task.createdAt)) / 1000;
  return `${seconds.toFixed(1)} s`.padStart(7);
}
