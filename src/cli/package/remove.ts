import type { Command } from 'commander';
import { formatSize } from '../../lib/utils.ts';
import { EXIT } from '../exit.ts';
import { withSender } from '../session.ts';
import { act, example, type Room } from '../world.ts';

type Removed = { name: string; size: number };

/** `mega package remove`: a package that no host is to get any more. */
export function addRemove(group: Command, room: Room): void {
  const remove = group
    .command('remove <name>')
    .description('remove a package for good; refused while an upgrade that needs it is open');
  remove.action(
    act(room, async (options, name) => {
      const { size } = await withSender(options, (call) => call<Removed>('del_package', { name }));
      room.out.write(`${name} is removed (${formatSize(size)})\n`);
      return EXIT.good;
    }),
  );
  example(remove, 'mega package remove 1.0.0');
}
