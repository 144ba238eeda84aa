import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { lockKey } from '../../lib/trust/jose.ts';
import { newKey } from '../../lib/trust/keys.ts';
import { EXIT } from '../exit.ts';
import { withSender } from '../session.ts';
import { act, example, type Room, wholeNumber } from '../world.ts';
import { changeRoot } from './change.ts';
import { MOST_KEYS } from './first.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from './signer.ts';

type ThresholdOptions = KeyOptions & { of?: number };

/** `mega keys threshold`: so that one key that is stolen, or one person, is not enough. */
export function addThreshold(group: Command, room: Room): void {
  const threshold = group
    .command('threshold <role> <n>')
    .description('how many keys must sign root or targets; keys that are missing are made in the folder')
    .option('--of <keys>', 'how many keys there are to be', wholeNumber(1, MOST_KEYS))
    .option(...KEYS_OPTION)
    .option(...PASSPHRASE_OPTION);
  threshold.action(
    act<ThresholdOptions>(room, async (options, role, signatures) => {
      if (role !== 'root' && role !== 'targets') {
        throw new InputError('bad_argument', `root or targets have a threshold, not "${role}"`);
      }
      const wanted = wholeNumber(1, MOST_KEYS)(signatures!);
      const signer = OfflineSigner.of(room, options);
      const passphrase = await signer.passphrase();
      await withSender(options, (call) =>
        changeRoot(call, signer, async (holders) => {
          const keys = [...holders[role].keys];
          const count = options.of ?? Math.max(keys.length, wanted);
          if (count < keys.length || wanted > count) {
            throw new InputError(
              'bad_argument',
              `${wanted} of ${count} cannot be: there are ${keys.length} ${role} keys`,
            );
          }
          while (keys.length < count) {
            const key = newKey();
            room.out.write(`${signer.folder.addKey(role, await lockKey(key, passphrase))} is new\n`);
            keys.push(key);
          }
          return { ...holders, [role]: { keys, threshold: wanted } };
        }),
      );
      room.out.write(`${role} needs ${signatures} signatures from now on\n`);
      return EXIT.good;
    }),
  );
  example(threshold, 'mega keys threshold root 2 --of 3');
}
