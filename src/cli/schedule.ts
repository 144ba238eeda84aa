import type { Command } from 'commander';
import { formatDuration } from '../lib/utils.ts';
import type { Firing, ListedSchedule, Schedule, ShownSchedule } from './answers.ts';
import { EXIT } from './exit.ts';
import { tellHowToGoOn } from './job/watch.ts';
import { whatOf } from './job/words.ts';
import { addAdd } from './schedule/add.ts';
import { readable, writeTimes } from './schedule/timing.ts';
import { callSurely, withSender } from './session.ts';
import { type Column, pairs, printJson, table, widthOf } from './table.ts';
import { moment } from './text.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega schedule`: jobs to be made later, or again and again. */
export function addSchedule(program: Command, room: Room): void {
  const schedule = program
    .command('schedule')
    .description('schedules: jobs to be made later, or again and again');
  example(
    schedule,
    "mega schedule add nightly --every 'day 02:00' -- upgrade --on all",
    'mega schedule list',
  );
  addAdd(schedule, room);
  addList(schedule, room);
  addShow(schedule, room);
  addNext(schedule, room);
  addRemove(schedule, room);
  addPause(schedule, room);
  addResume(schedule, room);
  addRun(schedule, room);
}

const COLUMNS: Column<ListedSchedule>[] = [
  { title: 'SCHEDULE', cell: (one) => one.name },
  { title: 'STATE', cell: (one) => one.state },
  { title: 'NEXT', cell: (one) => moment(one.nextAt).slice(0, 16) },
  {
    title: 'LAST',
    cell: (one) => (one.last ? `${one.last.state} ${moment(one.last.dueAt).slice(0, 16)}` : '-'),
  },
  { title: 'WHEN', cell: (one) => `${one.when} ${one.zone}`, shrinks: true },
  { title: 'WHAT', cell: commandOf, shrinks: true },
];

/** As its job will be told. */
function commandOf({ fn, args }: Pick<Schedule, 'fn' | 'args'>): string {
  const on = Array.isArray(args.on) ? args.on.join(' ') : '';
  return whatOf({ type: fn, args, target: on });
}

function addList(schedule: Command, room: Room): void {
  const list = schedule
    .command('list')
    .description('list all schedules, their next times (UTC) and what became of the last')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const all = await withSender(options, (call) => call<ListedSchedule[]>('get_all_schedule'));
      if (options.json) printJson(room.out, all);
      else room.out.write(table(all, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega schedule list');
}

const FIRING_COLUMNS: Column<Firing>[] = [
  { title: 'DUE (UTC)', cell: (one) => moment(one.dueAt).slice(0, 19) },
  { title: 'WHAT BECAME OF IT', cell: (one) => one.state },
  { title: 'JOB', cell: (one) => one.job ?? '-' },
  { title: 'WHY', cell: (one) => one.reason ?? '', shrinks: true },
];

function addShow(schedule: Command, room: Room): void {
  const show = schedule
    .command('show <name>')
    .description('show a schedule, its next times, and what became of the latest')
    .option(...JSON_FLAG);
  show.action(
    act<{ json?: true }>(room, async (options, name) => {
      const found = await withSender(options, (call) => call<ShownSchedule>('get_schedule', { name }));
      if (options.json) printJson(room.out, found);
      else tell(room, found);
      return EXIT.good;
    }),
  );
  example(show, 'mega schedule show nightly');
}

function tell({ out }: Room, found: ShownSchedule): void {
  const about: [string, string][] = [
    ['schedule', found.name],
    ['state', found.state],
    ['when', `${found.when} ${found.zone}`],
    ['what', commandOf(found)],
    ['missed', ruleOf(found)],
    ['still running', 'a time is skipped while the job of the time before has not ended'],
    ['in the name of', found.owner],
  ];
  out.write(`${pairs(about)}\n`);
  if (found.next.length > 0) writeTimes(out, found.next, found.notes);
  if (found.firings.length > 0) out.write(`\n${table(found.firings, FIRING_COLUMNS, widthOf(out))}`);
}

function ruleOf({ missed, graceMs }: Schedule): string {
  if (missed === 'skip') return 'a time more than a minute late is left out';
  return `the latest of the missed times is made up for, when it is at most ${formatDuration(graceMs ?? 0)} late`;
}

function addNext(schedule: Command, room: Room): void {
  const next = schedule
    .command('next <name>')
    .description('show its next times, and what clocks put forward or back do to them')
    .option('--count <number>', 'how many', wholeNumber(1, 100), 5)
    .option(...JSON_FLAG);
  next.action(
    act<{ count: number; json?: true }>(room, async (options, name) => {
      const request = { name, next: options.count, firings: 0 };
      const found = await withSender(options, (call) => call<ShownSchedule>('get_schedule', request));
      if (options.json) printJson(room.out, found.next);
      else if (found.next.length > 0) writeTimes(room.out, found.next, found.notes);
      else room.out.write(`${found.name} is ${found.state}\n`);
      return EXIT.good;
    }),
  );
  example(next, 'mega schedule next nightly --count 10');
}

function addRemove(schedule: Command, room: Room): void {
  const remove = schedule.command('remove <name>').description('remove a schedule; jobs that it made go on');
  remove.action(
    act(room, async (options, name) => {
      await withSender(options, (call) => callSurely(call, 'del_schedule', { name }));
      room.out.write(`${name} is removed\n`);
      return EXIT.good;
    }),
  );
  example(remove, 'mega schedule remove nightly');
}

function addPause(schedule: Command, room: Room): void {
  const pause = schedule.command('pause <name>').description('let it fire no more, until it is resumed');
  pause.action(
    act(room, async (options, name) => {
      await withSender(options, (call) => callSurely(call, 'pause_schedule', { name }));
      room.out.write(`${name} is paused; mega schedule resume ${name} lets it go on\n`);
      return EXIT.good;
    }),
  );
  example(pause, 'mega schedule pause nightly');
}

function addResume(schedule: Command, room: Room): void {
  const resume = schedule
    .command('resume <name>')
    .description('let it fire again; times that passed meanwhile are not made up for');
  resume.action(
    act(room, async (options, name) => {
      const found = await withSender(options, (call) =>
        callSurely<ShownSchedule>(call, 'resume_schedule', { name }),
      );
      room.out.write(`${name} fires next at ${readable(found.next[0]?.local ?? '-')}\n`);
      return EXIT.good;
    }),
  );
  example(resume, 'mega schedule resume nightly');
}

function addRun(schedule: Command, room: Room): void {
  const run = schedule
    .command('run <name>')
    .description('make its job now, in your own name; its times stay')
    .option(...JSON_FLAG);
  run.action(
    act<{ json?: true }>(room, async (options, name) => {
      const made = await withSender(options, (call) =>
        callSurely<{ job: string }>(call, 'run_schedule_now', { name }),
      );
      if (options.json) printJson(room.out, made);
      else room.out.write(`job ${made.job}\n`);
      tellHowToGoOn(room.err, made.job);
      return EXIT.good;
    }),
  );
  example(run, 'mega schedule run nightly');
}
