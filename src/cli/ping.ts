import type { Command } from 'commander';
import { addLimitOptions, type LimitOptions, limitsOf } from './job/limits.ts';
import { awaitJob } from './job/watch.ts';
import { callSurely, withSender } from './session.ts';
import { type HostsOptions, hostsOf, hostsOption } from './targets.ts';
import { act, example, JSON_FLAG, type Room } from './world.ts';

type PingOptions = LimitOptions & HostsOptions & { json?: true };

/** `mega ping`: are they there? */
export function addPing(program: Command, room: Room): void {
  const ping = program
    .command('ping')
    .description('ask hosts through their own queues whether they are there')
    .option(...JSON_FLAG);
  addLimitOptions(hostsOption(ping)).action(
    act<PingOptions>(room, async (options) => {
      const request = await pingRequest(options);
      return withSender(options, async (call) => {
        const { job } = await callSurely<{ job: string }>(call, 'ping', request);
        return awaitJob(room, call, job, options);
      });
    }),
  );
  example(ping, 'mega ping --on all', "mega ping --on 'db-*' --json");
}

/** What the dispatcher's `ping` takes. */
export async function pingRequest(options: LimitOptions & HostsOptions): Promise<object> {
  return { on: await hostsOf(options), limits: limitsOf(options) };
}
