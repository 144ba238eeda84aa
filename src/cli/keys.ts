import type { Command } from 'commander';
import { EXIT } from './exit.ts';
import { pushAll } from './keys/change.ts';
import { addSign } from './keys/cosign.ts';
import { addRenew } from './keys/renew.ts';
import { addRotate } from './keys/rotate.ts';
import { addShow } from './keys/show.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from './keys/signer.ts';
import { addThreshold } from './keys/threshold.ts';
import { withSender } from './session.ts';
import { act, example, type Room } from './world.ts';

/** `mega keys`: the offline keys, and what they have signed. */
export function addKeys(program: Command, room: Room): void {
  const group = program
    .command('keys')
    .description('the keys that sign packages, and those that they vouch for: show, replace, renew');
  example(group, 'mega keys show', 'mega keys renew');
  for (const add of [addShow, addRotate, addRenew, addThreshold, addSign]) add(group, room);
  addPush(group, room);
}

function addPush(group: Command, room: Room): void {
  const push = group
    .command('push')
    .description('send the dispatcher what is signed in the folder and was not sent yet')
    .option(...KEYS_OPTION)
    .option(...PASSPHRASE_OPTION);
  push.action(
    act<KeyOptions>(room, async (options) => {
      const signer = OfflineSigner.of(room, options);
      const sent = await withSender(options, (call) => pushAll(call, signer));
      room.out.write(sent ? 'sent\n' : 'the dispatcher has all of it\n');
      return EXIT.good;
    }),
  );
  example(push, 'mega keys push');
}
