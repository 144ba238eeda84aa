import type { Command } from 'commander';
import { codeOf } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import { packageNamed } from '../../lib/trust/targets.ts';
import { formatSize } from '../../lib/utils.ts';
import { EXIT } from '../exit.ts';
import { changeTargets } from '../keys/change.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from '../keys/signer.ts';
import { withSender } from '../session.ts';
import { act, example, type Room } from '../world.ts';

type Removed = { name: string; size: number };
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
          const removed = await removeBytes(call, name!, signer !== undefined);
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

/** Undefined where the bytes are gone already: an earlier attempt ended before the signature was removed. */
async function removeBytes(call: Call, name: string, goesOn: boolean): Promise<Removed | undefined> {
  try {
    return await call<Removed>('del_package', { name });
  } catch (error) {
    if (goesOn && codeOf(error) === 'unknown_package') return undefined;
    throw error;
  }
}

function unsign(call: Call, signer: OfflineSigner, name: string): Promise<boolean> {
  return changeTargets(call, signer, (targets) => targets.filter((one) => packageNamed(one) !== name));
}
