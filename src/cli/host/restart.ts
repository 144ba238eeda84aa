import type { Command } from 'commander';
import { askHosts } from '../job/answer.ts';
import { addLimitOptions, type LimitOptions, limitsOf } from '../job/limits.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';

/** `mega host restart`: the agent, not the machine. */
export function addRestart(host: Command, room: Room): void {
  const restart = host
    .command('restart [host]')
    .description('restart the agents of hosts; scripts that run go on')
    .option(...JSON_FLAG);
  mayTakeHosts(addLimitOptions(restart)).action(
    act<HostsOptions & LimitOptions & { json?: true }>(room, async (options, id) => {
      const on = await hostsOf(options, id === undefined ? [] : [id]);
      const args = { on, limits: limitsOf(options) };
      return askHosts(room, options, { fn: 'restart_agent', args }, (_, name) => `${name} has a new agent\n`);
    }),
  );
  example(restart, 'mega host restart db-01', 'mega host restart --on all --waves 1,10%');
}
