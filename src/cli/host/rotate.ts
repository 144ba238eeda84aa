import type { Command } from 'commander';
import { EXIT } from '../exit.ts';
import { awaitJob, tellHowToGoOn } from '../job/watch.ts';
import { callSurely, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';

type RotateOptions = HostsOptions & { watch: boolean; json?: true };

/** `mega host rotate`: new secrets in the broker. */
export function addRotate(host: Command, room: Room): void {
  const rotate = host
    .command('rotate [hosts...]')
    .description(
      'let hosts exchange their secrets in the broker; those that are away do it when they come back',
    )
    .option('--watch', 'wait until the job has ended (the default)', true)
    .option('--no-watch', 'only make the job')
    .option(...JSON_FLAG);
  mayTakeHosts(rotate).action(
    act<RotateOptions, [string[]]>(room, async (options, hosts) => {
      const request = await rotateRequest(options, hosts);
      return withSender(options, async (call) => {
        const { job } = await callSurely<{ job: string }>(call, 'rotate_secret', request);
        if (options.watch) return awaitJob(room, call, job, options);
        if (options.json) printJson(room.out, { job });
        else room.out.write(`job ${job}\n`);
        tellHowToGoOn(room.err, job);
        return EXIT.good;
      });
    }),
  );
  example(rotate, 'mega host rotate db-01', 'mega host rotate --on all --no-watch');
}

/** What the dispatcher's `rotate_secret` takes. */
export async function rotateRequest(options: HostsOptions, hosts: string[]): Promise<object> {
  return { on: await hostsOf(options, hosts) };
}
