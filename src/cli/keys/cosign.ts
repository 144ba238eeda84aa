import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { writeDurably } from '../../lib/files.ts';
import { keyId } from '../../lib/trust/keys.ts';
import { aboutOf, holdersOf, signersOf, targetsOf } from '../../lib/trust/metadata.ts';
import { EXIT } from '../exit.ts';
import { act, example, type Room } from '../world.ts';
import { KeyFolder } from './folder.ts';
import { passphraseOf } from './passphrase.ts';
import type { OfflineRole } from './pending.ts';
import { OfflineSigner, PASSPHRASE_OPTION } from './signer.ts';

const kind = z.object({ signed: z.object({ _type: z.enum(['root', 'targets']) }) });

type SignOptions = { keys: string; passphraseFile?: string };

/** `mega keys sign`: another holder's signature, on another machine; nothing is sent. */
export function addSign(group: Command, room: Room): void {
  const command = group
    .command('sign <file>')
    .description('add the signatures of other keys to a file that waits for them (pending-root.json)')
    .requiredOption('--keys <folder>', 'holds the other keys')
    .option(...PASSPHRASE_OPTION);
  command.action(
    act<SignOptions>(room, async (options, path) => {
      const { role, text } = read(path!);
      const roots = [...(role === 'root' ? [text] : []), ...rootsBeside(path!, options.keys)];
      const signer = new OfflineSigner(
        new KeyFolder(resolve(options.keys)),
        passphraseOf(room, options.passphraseFile),
      );
      room.out.write(summary(role, text));
      const signed = await signer.sign(role, text, roots);
      const added = signersOf(role, signed).filter((id) => !signersOf(role, text).includes(id));
      if (added.length === 0) {
        throw new InputError(
          'no_keys',
          `no key in ${options.keys} may sign this, or all have signed already`,
        );
      }
      writeDurably(path!, signed);
      for (const id of added) room.out.write(`signed by ${id.slice(0, 16)}\n`);
      return EXIT.good;
    }),
  );
  example(command, 'mega keys sign pending-root.json --keys /media/my-keys');
}

function read(path: string): { role: OfflineRole; text: string } {
  try {
    const text = readFileSync(path, 'utf8');
    return { role: kind.parse(JSON.parse(text)).signed._type, text };
  } catch (cause) {
    throw new InputError('bad_argument', `${path} is no root or targets that wait for signatures`, { cause });
  }
}

/** Who may sign is said by the root of the folder that the file, or the keys, are in. */
function rootsBeside(path: string, keys: string): string[] {
  return [dirname(resolve(path)), resolve(keys)]
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => new KeyFolder(folder).roots().slice(-1));
}

/** So that nobody signs unseen what somebody else has made. */
function summary(role: OfflineRole, text: string): string {
  const { version, expires } = aboutOf(role, text);
  const lines =
    role === 'root' ? rootLines(text) : targetsOf(text).map((one) => `  ${one.path} ${one.sha256}`);
  return [`${role}.json version ${version}, until ${expires.toISOString().slice(0, 10)}:`, ...lines, ''].join(
    '\n',
  );
}

function rootLines(text: string): string[] {
  return Object.entries(holdersOf(text)).map(([role, { keys, threshold }]) => {
    const ids = keys.map((key) => keyId(key).slice(0, 16)).join(' ');
    return `  ${role}: ${threshold} of ${ids}`;
  });
}
