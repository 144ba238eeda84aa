import type { Command } from 'commander';
import { addLimitOptions, type LimitOptions, limitsOf } from './job/limits.ts';
import { awaitJob } from './job/watch.ts';
import { callSurely, withSender } from './session.ts';
import { act, collect, example, JSON_FLAG, type Room } from './world.ts';

/** `mega ping`: are they there? */
export function addPing(program: Command, room: Room): void {
  const ping = program
    .command('ping')
    .description('ask hosts through their own queues whether they are there')
    .requiredOption('--on <hosts>', 'a host, a pattern such as "db-*", or all; may be given again', collect)
    .option(...JSON_FLAG);
  addLimitOptions(ping);
  ping.action(
    act<LimitOptions & { on: string[]; json?: true }>(room, (options) =>
      withSender(options, async (call) => {
        const { job } = await callSurely<{ job: string }>(call, 'ping', {
          on: options.on,
          limits: limitsOf(options),
        });
        return awaitJob(room, call, job, options);
      }),
    ),
  );
  example(ping, 'mega ping --on all', "mega ping --on 'db-*' --json");
}
