import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { settings } from '../../lib/orders.ts';
import { askHosts } from '../job/answer.ts';
import { addLimitOptions, type LimitOptions, limitsOf } from '../job/limits.ts';
import { pairs } from '../table.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { act, collect, example, JSON_FLAG, type Room } from '../world.ts';

type ConfigOptions = HostsOptions & LimitOptions & { set?: string[]; json?: true };

/** `mega host config`: which settings hosts go by; with `--set`, others. */
export function addConfig(host: Command, room: Room): void {
  const config = host
    .command('config [host]')
    .description('show the settings of hosts, or change those that may be changed from here')
    .option('--set <name=value>', 'a setting, after which the agent restarts; may be given again', collect)
    .option(...JSON_FLAG);
  mayTakeHosts(addLimitOptions(config)).action(
    act<ConfigOptions>(room, async (options, id) => {
      const about = { on: await hostsOf(options, id === undefined ? [] : [id]), limits: limitsOf(options) };
      if (!options.set) return askHosts(room, options, { fn: 'get_config', args: about }, shown);
      const args = { ...about, set: Object.fromEntries(options.set.map(setting)) };
      return askHosts(room, options, { fn: 'set_config', args }, (_, name) => `${name} goes by it\n`);
    }),
  );
  example(config, 'mega host config db-01', 'mega host config --on all --set scriptLanes=8');
}

/** Numbers are written as such; which setting takes what the dispatcher and the host know. */
function setting(text: string): [name: string, value: string | number] {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  const known = Object.keys(settings.shape);
  if (!known.includes(name)) {
    throw new InputError(
      'bad_argument',
      `--set ${text}: name one of ${known.join(', ')}, as in scriptLanes=8`,
    );
  }
  return [name, /^\d+$/.test(value) ? Number(value) : value];
}

function shown({ config, settable }: Record<string, unknown>, host: string): string {
  const names = new Set(Array.isArray(settable) ? settable : []);
  const all = Object.entries((config ?? {}) as Record<string, unknown>);
  const values = all.map(([name, value]): [string, string] => {
    return [
      name,
      `${typeof value === 'string' ? value : JSON.stringify(value)}${names.has(name) ? '  (--set)' : ''}`,
    ];
  });
  return `${pairs([['host', host], ...values.filter(([name]) => name !== 'host')])}\n`;
}
