import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../lib/errors.ts';
import { readIfThere, renameDurably, unlessMissing, writeDurably } from '../../lib/files.ts';
import { lockedKeyId } from '../../lib/trust/jose.ts';
import { aboutOf } from '../../lib/trust/metadata.ts';

/**
 * The folder of the offline keys and of what they have signed:
 *
 *     root-1.key, targets-1.key     locked with the folder's passphrase
 *     1.root.json, 2.root.json      every root that ever was; hosts walk from one to the next
 *     root.json, targets.json       the newest
 *
 * It may be copied, and keys may be moved to folders of other people: what is missing here is fetched from the
 * dispatcher and verified, and what was signed here and did not arrive there is sent when a command runs next.
 */
export type KeyFile = { name: string; id: string; text: string };

const ROOT_NAME = /^\d{1,9}\.root\.json$/;
const KEY_NAME = /^[a-z]+-\d{1,4}\.key$/;

export class KeyFolder {
  readonly path: string;

  /** Error: `no_keys`, for a folder that is none of ours. */
  constructor(path: string) {
    this.path = path;
    if (this.#read('root.json') !== undefined) return;
    throw new InputError(
      'no_keys',
      `${path} is no folder of offline keys (it has no root.json): name it with --keys or $MEGA_KEYS; mega setup makes one`,
    );
  }

  /** Every root that is here, oldest first. */
  roots(): string[] {
    return readdirSync(this.path)
      .filter((name) => ROOT_NAME.test(name))
      .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
      .map((name) => this.#read(name)!);
  }

  root(): string {
    return this.#read('root.json')!;
  }

  targets(): string | undefined {
    return this.#read('targets.json');
  }

  keyFiles(): KeyFile[] {
    return readdirSync(this.path)
      .filter((name) => KEY_NAME.test(name))
      .toSorted()
      .flatMap((name) => {
        const text = this.#read(name) ?? '';
        const id = lockedKeyId(text);
        return id === undefined ? [] : [{ name, id, text }];
      });
  }

  /** By its number first: `root.json` names none that is not there. */
  saveRoot(text: string): void {
    this.save(`${aboutOf('root', text).version}.root.json`, text);
    this.save('root.json', text);
  }

  saveTargets(text: string): void {
    this.save('targets.json', text);
  }

  /** Two commands may work in one folder at the same time: each writes beside under a name of its own. */
  save(name: string, text: string): void {
    const beside = join(this.path, `.${name}.${process.pid}`);
    writeDurably(beside, text);
    renameDurably(beside, join(this.path, name));
  }

  #read(name: string): string | undefined {
    return unlessMissing(() => readIfThere(join(this.path, name)));
  }
}
