import type { Command } from 'commander';
import { EXIT } from './exit.ts';
import { addLimitOptions, type LimitOptions, limitsOf } from './job/limits.ts';
import { tellHowToGoOn, watchJob } from './job/watch.ts';
import { callSurely, withSender } from './session.ts';
import { printJson } from './table.ts';
import { dryRun } from './upgrade/dryrun.ts';
import { act, collect, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

type UpgradeOptions = LimitOptions & {
  to?: string;
  on: string[];
  watch: boolean;
  dryRun?: true;
  allowDowngrade?: true;
  trialSeconds?: number;
  trialStarts?: number;
  trialHangSeconds?: number;
  json?: true;
};

/** `mega upgrade`: the main job, moving hosts to a published version while watching. */
export function addUpgrade(program: Command, room: Room): void {
  const upgrade = program
    .command('upgrade')
    .description(
      'upgrade hosts to a published version, and watch; more than 10 hosts go in waves of 1, 10% and 100%, and pause past 10% of errors, unless --waves says otherwise (--waves 100%: all at once)',
    )
    .option('--to <version>', 'the version (default: the newest that is published)')
    .requiredOption('--on <hosts>', 'a host, a pattern such as "db-*", or all; may be given again', collect)
    .option('--allow-downgrade', 'take hosts that run a newer version back to this one, too')
    .option('--dry-run', 'ask the hosts what would happen and how long it would take; change nothing')
    .option('--watch', 'watch until the job has ended (the default)', true)
    .option('--no-watch', 'only make the job')
    .option(
      '--trial-seconds <number>',
      'how long a new release may take to prove itself',
      wholeNumber(5, 3600),
    )
    .option('--trial-starts <number>', 'how often it may be started meanwhile', wholeNumber(1, 20))
    .option('--trial-hang-seconds <number>', 'how long it may give no sign of life', wholeNumber(3, 3600))
    .option(...JSON_FLAG);
  addLimitOptions(upgrade);
  upgrade.action(
    act<UpgradeOptions>(room, (options) =>
      withSender(options, async (call) => {
        if (options.dryRun) return dryRun(room, call, requestOf(options), options);
        const { job } = await callSurely<{ job: string }>(call, 'client_upgrade', requestOf(options));
        if (options.watch) {
          if (!options.json) room.out.write(`job ${job}\n`);
          return watchJob(room, call, job, options);
        }
        if (options.json) printJson(room.out, { job });
        else room.out.write(`job ${job}\n`);
        tellHowToGoOn(room.err, job);
        return EXIT.good;
      }),
    ),
  );
  example(
    upgrade,
    'mega upgrade --to 1.1.0 --on all',
    'mega upgrade --to 1.1.0 --on all --dry-run',
    "mega upgrade --to 1.1.0 --on db-01 --on 'web-*' --no-watch",
    'mega upgrade --on all --waves 1,5%,100% --pause-between approve --max-concurrency 50',
  );
}

function requestOf(options: UpgradeOptions): object {
  const { to, on, allowDowngrade: downgrade, trialSeconds, trialStarts, trialHangSeconds } = options;
  const trial = { seconds: trialSeconds, starts: trialStarts, hangSeconds: trialHangSeconds };
  return { to, on, trial, downgrade, limits: limitsOf(options) }; // JSON drops what was not given
}
