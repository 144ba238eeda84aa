import type { Queryable } from '../../lib/conn.ts';
import { ROLES, type Role, type Target, targetsOf } from '../../lib/trust/metadata.ts';
import { getMetadata, type Listed, listMetadata } from '../store/trust.ts';

const NAME = new RegExp(`^(?:(\\d{1,15})\\.)?(${ROLES.join('|')})\\.json$`);

/**
 * The metadata as hosts and operators ask for it: `2.root.json`, `timestamp.json`; without a number the newest.
 *
 * Ten thousand hosts may ask at once, and yet none may be told of an older timestamp than it has seen, or be told of a
 * snapshot that is then not to be had, whichever dispatcher answers. So texts are kept in memory, since a version never
 * changes, and what the newest is, is asked of the database: once for all who came before the question was put.
 */
export class MetadataFiles {
  #db: Queryable;
  #listed: Listed[] = [];
  #listedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;
  #texts = new Map<string, Promise<string | undefined>>();
  #signed: { text: string; targets: Target[] } = { text: '', targets: [] };

  constructor(db: Queryable) {
    this.#db = db;
  }

  async text(name: string): Promise<string | undefined> {
    const [, number, role] = NAME.exec(name) ?? [];
    if (role === undefined) return undefined;
    return this.#read(role as Role, number === undefined ? undefined : Number(number));
  }

  /** What is signed now; nothing before anything was. */
  async signed(): Promise<Target[]> {
    const text = await this.#read('targets', undefined);
    if (text === undefined) return [];
    if (text !== this.#signed.text) this.#signed = { text, targets: targetsOf(text) };
    return this.#signed.targets;
  }

  async #read(role: Role, version: number | undefined): Promise<string | undefined> {
    const find = () =>
      this.#listed.findLast((one) => one.role === role && (version ?? one.version) === one.version);
    if (version === undefined || !find()) await this.#listSince(performance.now());
    const found = find();
    return found && this.#textOf(found);
  }

  async #listSince(askedAt: number): Promise<void> {
    while (this.#listedAt < askedAt) {
      this.#loading ??= this.#load().finally(() => {
        this.#loading = undefined;
      });
      await this.#loading;
    }
  }

  async #load(): Promise<void> {
    const startedAt = performance.now();
    this.#listed = await listMetadata(this.#db);
    this.#listedAt = startedAt;
    const known = new Set(this.#listed.map(keyOf));
    for (const key of this.#texts.keys()) if (!known.has(key)) this.#texts.delete(key);
  }

  #textOf(one: Listed): Promise<string | undefined> {
    const key = keyOf(one);
    const text = this.#texts.get(key) ?? getMetadata(this.#db, one.role, one.version);
    this.#texts.set(key, text);
    text.catch(() => this.#texts.delete(key));
    return text;
  }
}

const keyOf = ({ role, version, mark }: Listed) => `${role}.${version}.${mark}`;
