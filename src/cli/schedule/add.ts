import { type Command, Option } from 'commander';
import { InputError } from '../../lib/errors.ts';
import type { ShownSchedule } from '../answers.ts';
import { duration } from '../duration.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';
import { requestOf } from './commands.ts';
import { AT_HELP } from './once.ts';
import { type TimingOptions, timingOf, upcoming, writeTimes, ZONE_HELP, zoneLine } from './timing.ts';

type AddOptions = TimingOptions & {
  missed: 'skip' | 'run';
  grace?: number;
  dryRun?: true;
  json?: true;
};

/** `mega schedule add`: the next times are shown, then it is saved. */
export function addAdd(schedule: Command, room: Room): void {
  const add = schedule
    .command('add <name> <command...>')
    .description(
      'save a command that makes a job, given after "--", to be run later or again and again; the next five times are shown first',
    )
    .option('--at <time>', AT_HELP.split(';')[0]!.replace('do it later', 'once'))
    .option('--cron <expression>', "a cron expression, such as '0 2 * * mon-fri'")
    .option('--every <time>', "'day 02:00', 'week mon,thu 02:00', 'month 1 02:00' or 'month last 02:00'")
    .option('--zone <zone>', ZONE_HELP)
    .addOption(
      new Option('--missed <rule>', 'what becomes of a time at which no dispatcher ran, or all was frozen')
        .choices(['skip', 'run'])
        .default('skip'),
    )
    .option('--grace <duration>', 'with --missed run: how late it may be (default: 1d)', duration)
    .option('--dry-run', 'only show the next times')
    .option(...JSON_FLAG);
  add.action(async (name: string, words: string[], ...given: unknown[]) => {
    await act<AddOptions>(room, (options) => save(room, name, words, options))(...given);
  });
  example(
    add,
    "mega schedule add nightly --every 'day 02:00' -- upgrade --on all --waves 1,10%",
    "mega schedule add pings --cron '*/15 * * * *' --zone UTC -- ping --on all",
    "mega schedule add once --at 'in 2h' --missed run --grace 2h -- upgrade --on all",
  );
}

async function save(
  room: Room,
  name: string,
  words: string[],
  options: AddOptions & { timeout: number },
): Promise<number> {
  const now = new Date();
  const { missed, grace: graceMs } = options;
  if (graceMs !== undefined && missed === 'skip')
    throw new InputError('bad_argument', '--grace is for --missed run: what is skipped is not made up for');
  const when = timingOf(options, now);
  const next = upcoming(when, now);
  const { fn, args } = await requestOf(words, room);
  const request = { name, when: when.text, zone: when.zone, fn, args, missed, graceMs };
  if (!options.json) {
    room.out.write(zoneLine(when, options));
    writeTimes(room.out, next, when.notes);
  }
  if (options.dryRun) {
    if (options.json) printJson(room.out, { ...request, next, notes: when.notes });
    else room.out.write('Nothing was saved.\n');
    return EXIT.good;
  }
  const saved = await withSender(options, (call) => callSurely<ShownSchedule>(call, 'add_schedule', request));
  if (options.json) printJson(room.out, saved);
  else room.out.write(`Saved. Hosts are chosen when it fires; it fires in the name of ${saved.owner}\n`);
  return EXIT.good;
}
