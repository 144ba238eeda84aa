import type { Command } from 'commander';
import { codeOf } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import { packageNamed } from '../../lib/trust/targets.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Package } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { changeTargets } from '../keys/change.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from '../keys/signer.ts';
import { callSurely, withSender } from '../session.ts';
import { act, example, type Room } from '../world.ts';

type RemoveOptions = KeyOptions & { keepSignature?: true };

/** `mega package remove`: a package that no host is to get any more, from whomever. */
export function addRemove(group: Command, room: Room): void {
  const remove = group
    .command('remove <name>')
    .description(
      'remove a package for good, and its signature; refused while an upgrade that needs it is open',
    )
    .option(...KEYS_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--keep-signature', 'only the bytes go; needs no key, and hosts go on believing a copy of them')
    .action(
      act<RemoveOptions>(room, async (options, name) => {
        const signer = options.keepSignature ? undefined : OfflineSigner.of(room, options);
        await signer?.unlock('targets');
        return withSender(options, async (call) => {
          const removed = await removeBytes(call, name!);
          const unsigned = signer && (await unsign(call, signer, name!));
          if (!removed && !unsigned) await call('del_package', { name }); // says what it is that is not there
          const what = [removed && formatSize(removed.size), unsigned && 'no longer signed'];
          room.out.write(`${name} is removed (${what.filter(Boolean).join(', ')})\n`);
          return EXIT.good;
        });
      }),
    );
  example(remove, 'mega package remove 1.0.0');
}

/**
 * Removes a package's bytes. One that was there a moment ago and is unknown now has been removed: the answer was lost on
 * its way. Undefined where they were gone before: an earlier attempt ended before the signature was removed. Error:
 * `package_in_use`.
 */
export async function removeBytes(call: Call, name: string): Promise<{ size: number } | undefined> {
  const before = (await call<Package[]>('get_all_package')).find((one) => one.name === name);
  try {
    return await callSurely<{ size: number }>(call, 'del_package', { name });
  } catch (error) {
    if (codeOf(error) === 'unknown_package') return before;
    throw error;
  }
}

function unsign(call: Call, signer: OfflineSigner, name: string): Promise<boolean> {
  return changeTargets(call, signer, (targets) => targets.filter((one) => packageNamed(one) !== name));
}
