import type { Command } from 'commander';
import { EXIT } from './exit.ts';
import { addLimitOptions, type LimitOptions, limitsOf } from './job/limits.ts';
import { tellHowToGoOn, watchJob } from './job/watch.ts';
import { AT_HELP, type ScheduleOnce, scheduleOnce } from './schedule/once.ts';
import { ZONE_HELP } from './schedule/timing.ts';
import { callSurely, withSender } from './session.ts';
import { printJson } from './table.ts';
import { type HostsOptions, hostsOf, hostsOption } from './targets.ts';
import { dryRun } from './upgrade/dryrun.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

type UpgradeOptions = LimitOptions &
  HostsOptions &
  ScheduleOnce & {
    to?: string;
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
    .option('--allow-downgrade', 'take hosts that run a newer version back to this one, too')
    .option('--dry-run', 'ask the hosts what would happen and how long it would take; change nothing')
    .option('--at <time>', AT_HELP)
    .option('--zone <zone>', ZONE_HELP)
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
  addLimitOptions(hostsOption(upgrade)).action(
    act<UpgradeOptions>(room, async (options) => {
      const request = await upgradeRequest(options);
      return withSender(options, async (call) => {
        if (options.dryRun) return dryRun(room, call, request, options);
        const about = { fn: 'client_upgrade', args: request };
        if (options.at !== undefined || options.zone !== undefined)
          return scheduleOnce(room, call, options, about);
        const { job } = await callSurely<{ job: string }>(call, 'client_upgrade', request);
        if (options.watch) {
          if (!options.json) room.out.write(`job ${job}\n`);
          return watchJob(room, call, job, options);
        }
        if (options.json) printJson(room.out, { job });
        else room.out.write(`job ${job}\n`);
        tellHowToGoOn(room.err, job);
        return EXIT.good;
      });
    }),
  );
  example(
    upgrade,
    'mega upgrade --to 1.1.0 --on all',
    'mega upgrade --to 1.1.0 --on all --dry-run',
    "mega upgrade --to 1.1.0 --on db-01 --on 'web-*' --no-watch",
    'mega upgrade --on all --waves 1,5%,100% --pause-between approve --max-concurrency 50',
    "mega upgrade --to 1.1.0 --on all --at '2026-12-01 02:00 Asia/Shanghai'",
  );
}

/** What the dispatcher's `client_upgrade` takes. */
export async function upgradeRequest(options: UpgradeOptions): Promise<object> {
  const on = await hostsOf(options);
  const { to, allowDowngrade: downgrade, trialSeconds, trialStarts, trialHangSeconds } = options;
  const trial = { seconds: trialSeconds, starts: trialStarts, hangSeconds: trialHangSeconds };
  return { to, on, trial, downgrade, limits: limitsOf(options) }; // JSON drops what was not given
}
