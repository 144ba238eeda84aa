import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { EXIT } from '../exit.ts';
import { awaitJob, tellHowToGoOn } from '../job/watch.ts';
import { callSurely, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { collect, example, JSON_FLAG, type Room } from '../world.ts';

type RotateOptions = { on: string[]; watch: boolean; json?: true };

/** `mega host rotate`: new secrets in the broker. */
export function addRotate(host: Command, room: Room): void {
  const rotate = host
    .command('rotate [hosts...]')
    .description(
      'let hosts exchange their secrets in the broker; those that are away do it when they come back',
    )
    .option('--on <hosts>', 'a host, a pattern such as "db-*", or all; may be given again', collect, [])
    .option('--watch', 'wait until the job has ended (the default)', true)
    .option('--no-watch', 'only make the job')
    .option(...JSON_FLAG);
  rotate.action(async (hosts: string[], _options: RotateOptions, command: Command) => {
    const options = command.optsWithGlobals<RotateOptions & { config?: string; timeout: number }>();
    const request = rotateRequest(options, hosts);
    room.exitCode = await withSender(options, async (call) => {
      const { job } = await callSurely<{ job: string }>(call, 'rotate_secret', request);
      if (options.watch) return awaitJob(room, call, job, options);
      if (options.json) printJson(room.out, { job });
      else room.out.write(`job ${job}\n`);
      tellHowToGoOn(room.err, job);
      return EXIT.good;
    });
  });
  example(rotate, 'mega host rotate db-01', 'mega host rotate --on all --no-watch');
}

/** What the dispatcher's `rotate_secret` takes. */
export function rotateRequest(options: RotateOptions, hosts: string[]): object {
  const on = [...hosts, ...options.on];
  if (on.length === 0) throw new InputError('bad_argument', 'name the hosts, or give --on all');
  return { on };
}
