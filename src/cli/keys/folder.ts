import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../lib/errors.ts';
import { readIfThere, removeDurably, renameDurably, unlessMissing, writeDurably } from '../../lib/files.ts';
import { lockedKeyId } from '../../lib/trust/jose.ts';
import { aboutOf } from '../../lib/trust/metadata.ts';

/**
 * The folder of the offline keys and of what they have signed:
 *
 *     root-1.key, targets-1.key     locked with the folder's passphrase
 *     1.root.json, 2.root.json      every root that ever was; hosts walk from one to the next
 *     targets.json, root.json       the newest; the latter is a copy, for whoever wants it by that name
 *     pending-targets.json          what was signed last and is not in use yet; likewise pending-root.json
 *
 * It may be copied, and keys may be moved to folders of other people: what is missing here is fetched from the
 * dispatcher and verified, and what was signed here and did not arrive there is sent when a command runs next.
 */
export type KeyFile = { name: string; id: string; text: string };

const ROOT_NAME = /^\d{1,9}\.root\.json$/;
const KEY_NAME = /^[a-z]+-\d{1,4}\.key$/;

export class KeyFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Error: `no_keys`, for a folder that is none of ours. */
  static open(path: string): KeyFolder {
    const folder = new KeyFolder(path);
    if (folder.exists && folder.roots().length > 0) return folder;
    throw new InputError(
      'no_keys',
      `${path} is no folder of offline keys (it has no 1.root.json): name it with --keys or $MEGA_KEYS; mega setup makes one`,
    );
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Every root that is here, oldest first. */
  roots(): string[] {
    return readdirSync(this.path)
      .filter((name) => ROOT_NAME.test(name))
      .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
      .map((name) => this.#read(name)!);
  }

  root(): string {
    return this.roots().at(-1)!;
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

  /** The dispatcher has them; what another command has let wait meanwhile goes on waiting. */
  settleTargets(text: string): void {
    if (this.targets() !== text) this.save('targets.json', text);
    if (this.pending('targets') === text) this.removePending('targets');
  }

  /** Those that were signed here and will never be in use. */
  forgetRootsAfter(version: number): void {
    const roots = this.roots();
    this.save('root.json', roots[version - 1]!);
    for (let one = roots.length; one > version; one--) removeDurably(join(this.path, `${one}.root.json`));
  }

  pendingName(role: 'root' | 'targets'): string {
    return `pending-${role}.json`;
  }

  pending(role: 'root' | 'targets'): string | undefined {
    return this.#read(this.pendingName(role));
  }

  savePending(role: 'root' | 'targets', text: string): void {
    this.save(this.pendingName(role), text);
  }

  removePending(role: 'root' | 'targets'): void {
    removeDurably(join(this.path, this.pendingName(role)));
  }

  /** A new key, under the next number that is free. Answers the file's name. */
  addKey(kind: string, locked: string): string {
    const taken = new Set(readdirSync(this.path));
    let number = 1;
    while (taken.has(`${kind}-${number}.key`)) number++;
    this.save(`${kind}-${number}.key`, `${locked}\n`);
    return `${kind}-${number}.key`;
  }

  removeKey(name: string): void {
    removeDurably(join(this.path, name));
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
