import type { Command } from 'commander';
import { LOG_FILES } from '../../lib/orders.ts';
import { askHosts } from '../job/answer.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { clean } from '../text.ts';
import { act, choice, example, JSON_FLAG, type Room, size } from '../world.ts';

type LogsOptions = HostsOptions & { file?: string; bytes?: number; grep?: string; json?: true };

/** `mega host logs`: the agents' own logs, for who has no other way to a host. */
export function addLogs(host: Command, room: Room): void {
  const logs = host
    .command('logs [host]')
    .description("fetch the end of the agents' own logs")
    .option('--file <which>', `${LOG_FILES.join(' or ')} (default: agent)`, choice(LOG_FILES))
    .option('--bytes <size>', 'how much of its end, such as 64K (default: 32K)', size(1, 128 << 10))
    .option('--grep <text>', 'only lines that hold this')
    .option(...JSON_FLAG);
  mayTakeHosts(logs).action(
    act<LogsOptions>(room, async (options, id) => {
      const { file, bytes, grep } = options;
      const on = await hostsOf(options, id === undefined ? [] : [id]);
      return askHosts(room, options, { fn: 'fetch_logs', args: { on, file, bytes, grep } }, lines);
    }),
  );
  example(logs, 'mega host logs db-01', 'mega host logs --on \'db-*\' --grep \'"level":"error"\'');
}

function lines({ text }: Record<string, unknown>, host: string): string {
  const all = String(text ?? '')
    .replace(/\n$/, '')
    .split('\n');
  return all.map((line) => `${host} | ${clean(line)}\n`).join('');
}
