import { readFileSync } from 'node:fs';
import { keySettings } from '../../lib/config.ts';
import { InputError } from '../../lib/errors.ts';
import type { Room } from '../world.ts';

/** The passphrase of a folder of offline keys: found out when it is needed first, and once. */
export type Passphrase = () => Promise<string>;

const SHORTEST = 12;

/** Of keys that are there. Errors: `no_passphrase`, `bad_argument`. */
export function passphraseOf(room: Pick<Room, 'askSecret'>, file: string | undefined): Passphrase {
  let asked: Promise<string> | undefined;
  return () => {
    asked ??= given(file) ?? terminal(room)('Passphrase of the offline keys');
    return asked;
  };
}

/** For keys that are to be made: asked for twice, and not too short. */
export function newPassphraseOf(room: Pick<Room, 'askSecret'>, file: string | undefined): Passphrase {
  let asked: Promise<string> | undefined;
  return () => {
    asked ??= (given(file) ?? askTwice(terminal(room))).then(longEnough);
    return asked;
  };
}

async function askTwice(ask: (question: string) => Promise<string>): Promise<string> {
  const first = longEnough(await ask(`New passphrase for the offline keys (${SHORTEST} characters or more)`));
  if ((await ask('The same again')) === first) return first;
  throw new InputError('bad_passphrase', 'the two are not the same: run it again');
}

function longEnough(passphrase: string): string {
  if ([...passphrase].length >= SHORTEST) return passphrase;
  throw new InputError('bad_passphrase', `the passphrase needs ${SHORTEST} characters or more`);
}

function given(option: string | undefined): Promise<string> | undefined {
  const file = option ?? keySettings().passphraseFile;
  if (file === undefined) return undefined;
  try {
    return Promise.resolve(readFileSync(file, 'utf8').replace(/\r?\n$/, ''));
  } catch (cause) {
    throw new InputError('bad_argument', `the passphrase file ${file} cannot be read`, { cause });
  }
}

function terminal({ askSecret }: Pick<Room, 'askSecret'>): (question: string) => Promise<string> {
  if (askSecret) return askSecret;
  throw new InputError(
    'no_passphrase',
    'the offline keys need a passphrase, and there is no terminal to ask on: name a file with --passphrase-file',
  );
}
