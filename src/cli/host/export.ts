import { type Command, Option } from 'commander';
import { EXIT } from '../exit.ts';
import { allHosts, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { act, example, type Room } from '../world.ts';
import { toCsv } from './inventory.ts';

type ExportOptions = HostsOptions & { format: 'json' | 'csv' };

/** `mega host export`: the inventory, to be kept or edited. */
export function addExport(host: Command, room: Room): void {
  const command = host
    .command('export')
    .description('write the inventory: hosts with their labels and holds, as mega host import reads it')
    .addOption(new Option('--format <format>', 'json or csv').choices(['json', 'csv']).default('json'));
  mayTakeHosts(command).action(
    act<ExportOptions>(room, async (options) => {
      const on = options.on && (await hostsOf(options));
      const hosts = await withSender(options, (call) => allHosts(call, on));
      if (options.format === 'json') printJson(room.out, hosts);
      else room.out.write(toCsv(hosts));
      return EXIT.good;
    }),
  );
  example(command, 'mega host export --format csv >hosts.csv', 'mega host export --on role=replica');
}
