import type { Command } from 'commander';
import type { Job } from './answers.ts';
import { EXIT } from './exit.ts';
import { type Freeze, frozenLine } from './freeze.ts';
import { addControls } from './job/control.ts';
import { addShow } from './job/show.ts';
import { watchJob } from './job/watch.ts';
import { whatOf } from './job/words.ts';
import { withSender } from './session.ts';
import { printJson, table, widthOf } from './table.ts';
import { ago } from './text.ts';
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
    .description(
      'watch a job until it has ended; Ctrl-C ends the watching, not the job. In its bars # is a host that has done it, x one that failed, > one at work, - one cancelled',
    )
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
