import type { Command } from 'commander';
import { formatSize } from '../../lib/utils.ts';
import { askHosts } from '../job/answer.ts';
import { pairs } from '../table.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';

/** `mega host facts`: what a machine is, and which databases run on it. */
export function addFacts(host: Command, room: Room): void {
  const facts = host
    .command('facts [host]')
    .description('ask hosts what they are and which databases they run; it is kept with each host')
    .option(...JSON_FLAG);
  mayTakeHosts(facts).action(
    act<HostsOptions & { json?: true }>(room, async (options, id) => {
      const on = await hostsOf(options, id === undefined ? [] : [id]);
      return askHosts(room, options, { fn: 'facts', args: { on } }, story);
    }),
  );
  example(facts, 'mega host facts db-01', 'mega host facts --on all --json');
}

/** As its own version of the agent tells it: what is not there is not shown. */
type Facts = Partial<{
  osName: string;
  kernel: string;
  arch: string;
  cpus: number;
  cpuModel: string;
  memoryBytes: number;
  memoryAvailableBytes: number;
  addresses: string[];
  disks: { mount: string; type: string; bytes: number; freeBytes: number }[];
  databases: { program: string; version: string | null; ports: number[]; dataFolder: string | null }[];
}>;

export function story(output: Record<string, unknown>, host: string): string {
  const it = output as Facts;
  const free = (part = 0, whole = 0) => `${formatSize(part)} of ${formatSize(whole)} free`;
  return `${pairs([
    ['host', host],
    ['system', [it.osName, it.kernel, it.arch].filter(Boolean).join(', ')],
    ['processors', [it.cpus, it.cpuModel].filter(Boolean).join(' x ')],
    ['memory', free(it.memoryAvailableBytes, it.memoryBytes)],
    ['addresses', it.addresses?.join(' ') ?? null],
    ...(it.disks ?? []).map((one): [string, string] => {
      return ['disk', `${one.mount} (${one.type}): ${free(one.freeBytes, one.bytes)}`];
    }),
    ...(it.databases ?? []).map((one): [string, string] => {
      const where = one.ports.length > 0 ? `port ${one.ports.join(', ')}` : 'no port';
      return [
        'database',
        `${one.version ?? one.program}, ${where}, ${one.dataFolder ?? 'data folder not known'}`,
      ];
    }),
  ])}\n`;
}
