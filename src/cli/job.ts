import type { Command } from 'commander';
import type { Job, JobWithCounts, Task } from './answers.ts';
import { EXIT } from './exit.ts';
import { type Freeze, frozenLine } from './freeze.ts';
import { addControls } from './job/control.ts';
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
  addControls(job, room);

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
      const { jobs, freeze } = await withSender(options, async (call) => ({
        jobs: await call<Job[]>('get_all_job', { limit: options.limit }),
        freeze: await call<Freeze>('get_freeze'),
      }));
      const columns = [
        { title: 'JOB', cell: (one: Job) => one.id },
        { title: 'STATE', cell: (one: Job) => one.state },
        { title: 'MADE', cell: (one: Job) => ago(one.createdAt), right: true },
        { title: 'BY', cell: (one: Job) => one.createdBy },
        { title: 'WHAT', cell: whatOf, shrinks: true },
      ];
      if (options.json) printJson(room.out, jobs);
      else room.out.write(`${frozenLine(freeze)}${table(jobs, columns, widthOf(room.out))}`);
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
        const states = Object.keys(found.counts).filter((state) => !FINE.has(state));
        const needed = !options.json && states.length > 0;
        return { found, bad: needed ? await tasksOf(call, found.id, MOST_SHOWN, { states }) : [] };
      });
      if (options.json) printJson(room.out, answer.found);
      else room.out.write(told(answer.found, answer.bad, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(show, 'mega job show 0198c0de-0000-7000-8000-000000000001');
}

function told(job: JobWithCounts, bad: Task[], width: number): string {
  const about = pairs([
    ['job', job.id],
    ['what', whatOf(job)],
    ['state', job.state],
    ['hosts', countsOf(job.counts)],
    ['made', `${moment(job.createdAt)} by ${job.createdBy}`],
    ['finished', moment(job.finishedAt)],
  ]);
  if (bad.length === 0) return about;
  const all = Object.entries(job.counts).reduce((sum, [state, n]) => sum + (FINE.has(state) ? 0 : n), 0);
  const more = all > bad.length ? `and ${all - bad.length} more: mega task list --job ${job.id}\n` : '';
  return `${about}\n${table(bad, ENDED_COLUMNS, width)}${more}`;
}
