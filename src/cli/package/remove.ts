import type { Command } from 'commander';
import { codeOf } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Package } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { act, example, type Room } from '../world.ts';

/**
 * Removes a package; its size. One that was there a moment ago and is unknown now has been removed: the answer was lost
 * on its way, and the call carried out before it was asked again. Errors: `unknown_package`, `package_in_use`.
 */
export async function removePackage(call: Call, name: string): Promise<number> {
  const before = (await call<Package[]>('get_all_package')).find((one) => one.name === name);
  try {
    return (await callSurely<{ size: number }>(call, 'del_package', { name })).size;
  } catch (error) {
    if (before && codeOf(error) === 'unknown_package') return before.size;
    throw error;
  }
}

/** `mega package remove`: a package that no host is to get any more. */
export function addRemove(group: Command, room: Room): void {
  const remove = group
    .command('remove <name>')
    .description('remove a package for good; refused while an upgrade that needs it is open');
  remove.action(
    act(room, async (options, name) => {
      const size = await withSender(options, (call) => removePackage(call, name!));
      room.out.write(`${name} is removed (${formatSize(size)})\n`);
      return EXIT.good;
    }),
  );
  example(remove, 'mega package remove 1.0.0');
}
