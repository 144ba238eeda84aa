import type { Command } from 'commander';
import { check, schemas } from '../../lib/messages.ts';
import { minimumIn, policyTarget } from '../../lib/trust/targets.ts';
import { EXIT } from '../exit.ts';
import { changeTargets } from '../keys/change.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from '../keys/signer.ts';
import { withSender } from '../session.ts';
import { act, example, type Room } from '../world.ts';

/** `mega package minimum`: below it no host goes, whoever orders it. */
export function addMinimum(group: Command, room: Room): void {
  const minimum = group
    .command('minimum <version>')
    .description('sign the version below which no host goes, whoever orders it: after a security fix, say')
    .option(...KEYS_OPTION)
    .option(...PASSPHRASE_OPTION);
  minimum.action(
    act<KeyOptions>(room, async (options, text) => {
      const version = check(schemas.version, text);
      const signer = OfflineSigner.of(room, options);
      let before: string | undefined;
      await withSender(options, (call) =>
        changeTargets(call, signer, (targets) => {
          before = minimumIn(targets);
          if (before === version) return targets;
          const policy = policyTarget(version);
          return [...targets.filter((one) => one.path !== policy.path), policy];
        }),
      );
      room.out.write(`no host goes below ${version} from now on (before: ${before ?? 'no minimum'})\n`);
      return EXIT.good;
    }),
  );
  example(minimum, 'mega package minimum 1.2.0');
}
