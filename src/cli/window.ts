import type { Command } from 'commander';
import { InputError } from '../lib/errors.ts';
import { type Opening, openings, shiftNotes } from '../lib/when/openings.ts';
import { readWhen } from '../lib/when/when.ts';
import { isOpen, nextChange, readWindow, type Window } from '../lib/when/window.ts';
import { isoIn, ownZone } from '../lib/when/zone.ts';
import type { MaintenanceWindow } from './answers.ts';
import { EXIT } from './exit.ts';
import { readable, whereOf, ZONE_HELP } from './schedule/timing.ts';
import { callSurely, withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { moment, wrap } from './text.ts';
import { act, collect, example, type Globals, JSON_FLAG, type Output, type Room } from './world.ts';

const ADD_EXAMPLE = "mega window add nights --on 'db-*' --open 'mon-fri 22:00-04:00' --zone Asia/Shanghai";

/** `mega window`: when work may begin on which hosts. */
export function addWindow(program: Command, room: Room): void {
  const window = program
    .command('window')
    .description(
      'maintenance windows: when work may begin on which hosts; what has begun goes on to its end',
    );
  example(window, ADD_EXAMPLE, 'mega window list');
  addAdd(window, room);
  addList(window, room);
  addRemove(window, room);
  addTest(window, room);
}

const OPEN_HELP =
  "such as 'mon-fri 22:00-04:00, sat 10:00-18:00'; over midnight it belongs to the day it begins";
const SHOWN = 5;

type AddOptions = Globals & { on: string[]; open: string; zone?: string; json?: true };

function addAdd(window: Command, room: Room): void {
  const add = window
    .command('add <name>')
    .description('add a window; the next times at which it is open are shown first')
    .requiredOption(
      '--on <hosts>',
      'the hosts that keep it, such as role=replica; may be given again',
      collect,
    )
    .requiredOption('--open <hours>', OPEN_HELP)
    .option('--zone <zone>', ZONE_HELP)
    .option(...JSON_FLAG);
  add.action(
    act<AddOptions>(room, async (options, name) => {
      const read = windowOf(options.open, options.zone);
      if (!options.json) writeOpenings(room.out, read, new Date());
      const request = { name, on: options.on, open: read.text, zone: read.zone };
      const saved = await withSender(options, (call) =>
        callSurely<MaintenanceWindow>(call, 'add_window', request),
      );
      if (options.json) printJson(room.out, saved);
      else room.out.write(`${name} is kept by ${hostsOf(saved)} in jobs that are made from now on\n`);
      return EXIT.good;
    }),
  );
  example(add, ADD_EXAMPLE);
}

const hostsOf = ({ hosts }: MaintenanceWindow) => (hosts === 1 ? 'one host' : `${hosts} hosts`);

/** A zone that the text names must be the one that was asked for, if one was. */
function windowOf(text: string, zone: string | undefined): Window {
  const read = readWindow(text, zone ?? ownZone());
  if (zone === undefined || readWindow('00:00-24:00', zone).zone === read.zone) return read;
  throw new InputError(
    'bad_zone',
    `it names the time zone ${read.zone}, and ${zone} was asked for: give one`,
  );
}

const COLUMNS: Column<MaintenanceWindow>[] = [
  { title: 'WINDOW', cell: (one) => one.name },
  { title: 'NOW', cell: (one) => (one.isOpen ? 'open' : 'closed') },
  { title: 'UNTIL', cell: (one) => (one.changesAt === null ? 'ever' : moment(one.changesAt)) },
  { title: 'HOSTS', cell: (one) => String(one.hosts), right: true },
  { title: 'OPEN', cell: (one) => `${one.open} ${one.zone}`, shrinks: true },
  { title: 'ON', cell: (one) => one.on.join(' '), shrinks: true },
];

function addList(window: Command, room: Room): void {
  const list = window
    .command('list')
    .description('list all windows, and which are open now')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const all = await withSender(options, (call) => call<MaintenanceWindow[]>('get_all_window'));
      if (options.json) printJson(room.out, all);
      else room.out.write(table(all, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega window list');
}

function addRemove(window: Command, room: Room): void {
  const remove = window
    .command('remove <name>')
    .description('remove a window; no host waits for it any more');
  remove.action(
    act(room, async (options, name) => {
      await withSender(options, (call) => callSurely(call, 'del_window', { name }));
      room.out.write(`${name} is removed\n`);
      return EXIT.good;
    }),
  );
  example(remove, 'mega window remove replicas');
}

type TestOptions = Globals & { open?: string; zone?: string; at?: string; json?: true };

function addTest(window: Command, room: Room): void {
  const test = window
    .command('test [name]')
    .description('tell whether a window is open (exit code 0) or closed (1), and when next; saves nothing')
    .option('--open <hours>', `a window that is not saved, ${OPEN_HELP}`)
    .option('--at <time>', "then and not now, such as '2026-12-01 02:00'")
    .option('--zone <zone>', ZONE_HELP)
    .option(...JSON_FLAG);
  test.action(
    act<TestOptions>(room, async (options, name) => {
      const read = await windowToTest(options, name);
      const at = options.at === undefined ? new Date() : momentOf(options.at, read, options.zone);
      const open = isOpen(read, at);
      if (options.json) {
        const changesAt = nextChange(read, at)?.toISOString() ?? null;
        const next = openings(read, SHOWN, at);
        printJson(room.out, { at: at.toISOString(), open, changesAt, next, notes: shiftNotes(read, at) });
      } else {
        room.out.write(`${open ? 'open' : 'closed'} at ${readable(isoIn(read.zone, at.getTime()))}\n`);
        writeOpenings(room.out, read, at);
      }
      return open ? EXIT.good : EXIT.failed;
    }),
  );
  example(
    test,
    "mega window test replicas --at '2026-12-01 02:00'",
    "mega window test --open 'mon-fri 22:00-04:00' --zone Europe/Berlin",
  );
}

async function windowToTest(options: TestOptions, name: string | undefined): Promise<Window> {
  const { open, zone } = options;
  if ((open === undefined) === (name === undefined))
    throw new InputError('bad_argument', 'name a window, or give its hours with --open');
  if (open !== undefined) return windowOf(open, zone);
  const all = await withSender(options, (call) => call<MaintenanceWindow[]>('get_all_window'));
  const found = all.find((one) => one.name === name);
  if (found) return readWindow(found.open, found.zone);
  throw new InputError('unknown_window', `no window is called "${name}"; mega window list shows all`);
}

/** A time without a zone is meant in that of the window. */
function momentOf(text: string, window: Window, zone: string | undefined): Date {
  const when = readWhen(text, whereOf({ zone: zone ?? window.zone }, new Date()));
  if (when.kind === 'once') return when.at;
  throw new InputError('bad_when', `"${text}" comes again and again: give one time`);
}

function writeOpenings(out: Output, window: Window, after: Date): void {
  const local = (at: Date | null, none: string) => (at ? readable(isoIn(window.zone, at.getTime())) : none);
  const columns: Column<Opening>[] = [
    { title: 'OPENS', cell: (one) => local(one.opens, 'is open') },
    { title: 'CLOSES', cell: (one) => local(one.closes, 'never') },
  ];
  out.write(`Times are those of ${window.zone}.\n${table(openings(window, SHOWN, after), columns)}`);
  for (const note of shiftNotes(window, after)) out.write(`${wrap(`Note: ${note}`, 80)}\n`);
}
