import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { keySettings, loadClientConfig } from '../../lib/config.ts';
import { unlockKey } from '../../lib/trust/jose.ts';
import { keyId } from '../../lib/trust/keys.ts';
import { holdersOf, type Role, sign } from '../../lib/trust/metadata.ts';
import type { Globals, Room } from '../world.ts';
import { type KeyFile, KeyFolder } from './folder.ts';
import { type Passphrase, passphraseOf } from './passphrase.ts';

export type KeyOptions = { keys?: string; passphraseFile?: string };

export const KEYS_OPTION = [
  '--keys <folder>',
  'the offline keys (default: $MEGA_KEYS, or what the configuration says)',
] as const;
export const PASSPHRASE_OPTION = [
  '--passphrase-file <file>',
  'holds their passphrase (default: $MEGA_PASSPHRASE_FILE, or it is asked for)',
] as const;

/** Signs with the keys of one folder; each is unlocked when it is needed first, which takes a third of a second. */
export class OfflineSigner {
  readonly folder: KeyFolder;
  readonly passphrase: Passphrase;
  #unlocked = new Map<string, Promise<KeyObject>>();

  constructor(folder: KeyFolder, passphrase: Passphrase) {
    this.folder = folder;
    this.passphrase = passphrase;
  }

  /** As the options of a command say. Error: `no_keys`. */
  static of(room: Pick<Room, 'askSecret'>, options: KeyOptions & Pick<Globals, 'config'>): OfflineSigner {
    const named = options.keys ?? keySettings().keys;
    const path = named === undefined ? loadClientConfig(options.config).keys : resolve(named);
    return new OfflineSigner(KeyFolder.open(path), passphraseOf(room, options.passphraseFile));
  }

  /** Those of the keys that one of these roots names for the role and that are here. Error: `bad_passphrase`. */
  keysFor(role: Role, roots: string[]): Promise<KeyObject[]> {
    const wanted = new Set(roots.flatMap((root) => holdersOf(root)[role].keys.map(keyId)));
    const files = this.folder.keyFiles().filter((file) => wanted.has(file.id));
    return Promise.all(files.map((file) => this.unlockFile(file)));
  }

  /** Has the passphrase entered now, where a key of the role is here. */
  async unlock(role: Role): Promise<void> {
    await this.keysFor(role, [this.folder.root()]);
  }

  /** Adds the signatures that the keys here may give. */
  async sign(role: Role, text: string, roots: string[]): Promise<string> {
    return sign(role, text, await this.keysFor(role, roots));
  }

  unlockFile({ id, text }: KeyFile): Promise<KeyObject> {
    const key = this.#unlocked.get(id) ?? this.passphrase().then((passphrase) => unlockKey(text, passphrase));
    this.#unlocked.set(id, key);
    return key;
  }
}
