import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { EXIT } from '../exit.ts';
import { withSender } from '../session.ts';
import { act, example, type Room, wholeNumber } from '../world.ts';
import { changeRoot, changeTargets } from './change.ts';
import { expiry, LIFE_DAYS } from './life.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from './signer.ts';

const LONGEST_DAYS = 3650;

/** `mega keys renew`: the yearly work. */
export function addRenew(group: Command, room: Room): void {
  const renew = group
    .command('renew [role]')
    .description('sign root and targets anew, or one of them, with the same keys and a later expiry')
    .option(...KEYS_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--days <number>', 'for how long', wholeNumber(1, LONGEST_DAYS), LIFE_DAYS);
  renew.action(
    act<KeyOptions & { days: number }>(room, async (options, role) => {
      if (role !== undefined && role !== 'root' && role !== 'targets') {
        throw new InputError('bad_argument', `root or targets can be renewed, not "${role}"`);
      }
      const { days } = options;
      const signer = OfflineSigner.of(room, options);
      const until = expiry(days).toISOString().slice(0, 10);
      await withSender(options, async (call) => {
        if (role !== 'targets') await changeRoot(call, signer, (holders) => holders, { days });
        if (role !== 'root') await changeTargets(call, signer, (targets) => targets, { days });
      });
      room.out.write(`${role ?? 'root and targets'} signed until ${until}\n`);
      return EXIT.good;
    }),
  );
  example(renew, 'mega keys renew', 'mega keys renew root --days 400');
}
