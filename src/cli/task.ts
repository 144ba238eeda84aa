import type { Command } from 'commander';
import { InputError } from '../lib/errors.ts';
import type { Call } from '../lib/sender.ts';
import type { Task } from './answers.ts';
import { EXIT } from './exit.ts';
import { SILENT_COLUMNS } from './job/silent.ts';
import { tasksOf, type Which, withSender } from './session.ts';
import { type Column, pairs, printJson, table, widthOf } from './table.ts';
import { addStart } from './task/start.ts';
import { ago, clean, clock, moment } from './text.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega task`: one thing for one host. */
export function addTask(program: Command, room: Room): void {
  const task = program.command('task').description('tasks: one thing for one host');
  example(task, 'mega task list --host db-01');
  addList(task, room);
  addShow(task, room);
  addStart(task, room);

  const cancel = task
    .command('cancel <id>')
    .description('cancel a task, if its host has not passed the point of no return');
  cancel.action(
    act(room, async (options, id) => {
      const { state } = await withSender(options, (call) => call<{ state: string }>('cancel_task', { id }));
      room.out.write(`task ${id} is ${state}\n`);
      return state === 'cancelled' || state === 'cancelling' ? EXIT.good : EXIT.failed;
    }),
  );
  example(cancel, 'mega task cancel 0198c0de-0000-7000-8000-000000000001');
}

export const TASK_COLUMNS: Column<Task>[] = [
  { title: 'TASK', cell: (task) => task.id },
  { title: 'HOST', cell: (task) => task.host },
  { title: 'STATE', cell: (task) => task.state },
  { title: 'MADE', cell: (task) => ago(task.createdAt), right: true },
  { title: 'TYPE', cell: (task) => task.type, shrinks: true },
];

type ListOptions = {
  host?: string;
  job?: string;
  state?: string[];
  silent?: true;
  retried?: true;
  limit: number;
  json?: true;
};

function addList(task: Command, room: Room): void {
  const list = task
    .command('list')
    .description('list the latest tasks, or those of a job in order of host')
    .option('--host <host>', 'only those of this host')
    .option('--job <id>', 'only those of this job')
    .option('--state <states>', "only a job's tasks in these states, such as failed,lost", words)
    .option('--silent', "only a job's hosts that have not answered, with the last that is known of them")
    .option('--retried', "only a job's tasks in whose place another try came")
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), 20)
    .option(...JSON_FLAG);
  list.action(
    act<ListOptions>(room, async (options) => {
      const tasks = await withSender(options, (call) => listTasks(call, options));
      if (options.json) printJson(room.out, tasks);
      else room.out.write(table(tasks, options.silent ? SILENT_COLUMNS : TASK_COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(
    list,
    'mega task list --host db-01 --limit 5',
    'mega task list --job 0198c0de-0000-7000-8000-000000000001 --state lost',
  );
}

const words = (text: string) => text.split(',').map((one) => one.trim());

async function listTasks(call: Call, options: ListOptions): Promise<Task[]> {
  const { host, job, limit } = options;
  if (job === undefined) {
    if (whichOf(options)) {
      throw new InputError(
        'bad_argument',
        '--state, --silent and --retried choose among the tasks of a --job',
      );
    }
    const most = Math.min(limit, 500);
    return call<Task[]>('get_all_task', { limit: most, ...(host === undefined ? {} : { host }) });
  }
  // The dispatcher filters by one of the two; a job has one task for a host.
  const most = host === undefined ? limit : Number.POSITIVE_INFINITY;
  const tasks = await tasksOf(call, job, most, whichOf(options) ?? {});
  return host === undefined ? tasks : tasks.filter((task) => task.host === host);
}

function whichOf({ state, silent, retried }: ListOptions): Which | undefined {
  if (silent) return { only: 'silent' };
  if (retried) return { only: 'retried' };
  return state && { states: state };
}

function addShow(task: Command, room: Room): void {
  const show = task
    .command('show <id>')
    .description('show a task and all that its host said of it')
    .option(...JSON_FLAG);
  show.action(
    act<{ json?: true }>(room, async (options, id) => {
      const found = await withSender(options, (call) => call<Task>('get_task', { id }));
      if (options.json) printJson(room.out, found);
      else room.out.write(story(found, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(show, 'mega task show 0198c0de-0000-7000-8000-000000000001');
}

function story(task: Task, width: number): string {
  const about = pairs([
    ['task', task.id],
    ['job', task.job],
    ['host', task.host],
    ['type', task.type],
    ['state', `${task.state}${task.phase ? `, ${task.phase}` : ''}${task.late ? ', late' : ''}`],
    ['reason', task.reason],
    ['version', `${task.fromVersion ?? '-'} before, ${task.running ?? '-'} after`],
    ['attempts', task.attempts],
    ['made', moment(task.createdAt)],
    ['accepted', moment(task.acceptedAt)],
    ['finished', moment(task.finishedAt)],
    ['output', task.output ? clean(JSON.stringify(task.output)) : null],
  ]);
  if (task.events.length === 0) return about;
  const said = table(
    task.events,
    [
      { title: 'UTC', cell: (one) => clock(one.agentMs) },
      { title: 'STATE', cell: (one) => one.state },
      { title: 'PHASE', cell: (one) => one.phase ?? '' },
      { title: 'REASON', cell: (one) => one.reason ?? '', shrinks: true },
    ],
    width,
  );
  return `${about}\nWhat the host said, by its own clock:\n${said}`;
}
