import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { askHosts } from '../job/answer.ts';
import { addLimitOptions, type LimitOptions, limitsOf } from '../job/limits.ts';
import { type HostsOptions, hostsOf, hostsOption } from '../targets.ts';
import { plain } from '../text.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';

/** `mega task start`: a task of one's own, which came with the release. */
export function addStart(task: Command, room: Room): void {
  const start = task
    .command('start <task> [args]')
    .description('have hosts carry out a task of your own; its arguments are a JSON object')
    .option(...JSON_FLAG);
  hostsOption(addLimitOptions(start)).action(
    act<HostsOptions & LimitOptions & { json?: true }>(room, async (options, name, text = '{}') => {
      const about = { on: await hostsOf(options), limits: limitsOf(options) };
      const args = { ...about, task: name, args: objectIn(text) };
      const told = (output: object, host: string) => `${host}: ${plain(JSON.stringify(output))}\n`;
      return askHosts(room, options, { fn: 'start_task', args }, told);
    }),
  );
  example(start, 'mega task start purge_binlogs \'{"days": 7}\' --on role=replica');
}

function objectIn(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below, as of all that is no object.
  }
  throw new InputError('bad_argument', `the arguments are no JSON object such as {"days": 7}: ${text}`);
}
