import type { Command } from 'commander';
import type { Job, JobWithCounts, Task } from './answers.ts';
import { EXIT } from './exit.ts';
import { countsOf, whatOf } from './job/view.ts';
import { ENDED_COLUMNS, watchJob } from './job/watch.ts';
import { tasksOf, withSender } from './session.ts';
import { pairs, printJson, table, widthOf } from './table.ts';
import { ago, moment } from './text.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega job`: one operation over many hosts. */
export function addJob(program: Command, room: Room): void {
  const job = program.command('job').description('jobs: one operation over many hosts, such as an upgrade');
  example(job, 'mega job list', 'mega job watch 0198c0de-0000-7000-8000-000000000001');
  addList(job, room);
  addShow(job, room);

  const watch = job
    .command('watch <id>')
    .description('watch a job until it has ended; Ctrl-C ends the watching, not the job')
    .option(...JSON_FLAG);
  watch.action(
    act<{ json?: true }>(room, (options, id) =>
      withSender(options, (call) => watchJob(room, call, id!, options)),
    ),
  );
  example(watch, 'mega job watch 0198c0de-0000-7000-8000-000000000001');
}

function addList(job: Command, room: Room): void {
  const list = job
    .command('list')
    .description('list the latest jobs')
    .option('--limit <number>', 'how many at most', wholeNumber(1, 1000), 20)
    .option(...JSON_FLAG);
  list.action(
    act<{ limit: number; json?: true }>(room, async (options) => {
      const jobs = await withSender(options, (call) => call<Job[]>('get_all_job', { limit: options.limit }));
      const columns = [
        { title: 'JOB', cell: (one: Job) => one.id },
        { title: 'STATE', cell: (one: Job) => one.state },
        { title: 'MADE', cell: (one: Job) => ago(one.createdAt), right: true },
        { title: 'WHAT', cell: whatOf, shrinks: true },
      ];
      if (options.json) printJson(room.out, jobs);
      else room.out.write(table(jobs, columns, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega job list --limit 5');
}

const MOST_SHOWN = 20;
const FINE = new Set(['succeeded', 'skipped', 'pending', 'queued', 'accepted', 'running']);

function addShow(job: Command, room: Room): void {
  const show = job
    .command('show <id>')
    .description('show a job, its counts, and the hosts on which it did not succeed')
    .option(...JSON_FLAG);
  show.action(
    act<{ json?: true }>(room, async (options, id) => {
      const answer = await withSender(options, async (call) => {
        const found = await call<JobWithCounts>('get_job', { id });
        const needed = !options.json && Object.keys(found.counts).some((state) => !FINE.has(state));
        return { found, tasks: needed ? await tasksOf(call, found.id, Number.POSITIVE_INFINITY) : [] };
      });
      if (options.json) printJson(room.out, answer.found);
      else room.out.write(told(answer.found, answer.tasks, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(show, 'mega job show 0198c0de-0000-7000-8000-000000000001');
}

function told(job: JobWithCounts, tasks: Task[], width: number): string {
  const about = pairs([
    ['job', job.id],
    ['what', whatOf(job)],
    ['state', job.state],
    ['hosts', countsOf(job.counts)],
    ['made', `${moment(job.createdAt)} by ${job.createdBy}`],
    ['finished', moment(job.finishedAt)],
  ]);
  const bad = tasks.filter((task) => !FINE.has(task.state));
  if (bad.length === 0) return about;
  const more =
    bad.length > MOST_SHOWN ? `and ${bad.length - MOST_SHOWN} more: mega task list --job ${job.id}\n` : '';
  return `${about}\n${table(bad.slice(0, MOST_SHOWN), ENDED_COLUMNS, width)}${more}`;
}
