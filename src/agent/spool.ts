import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../lib/files.ts';

/** A batch that waits for the broker: its body is the message as it will be sent. */
export type Spooled = { name: string; id: string; body: Buffer };

/** `000000000042-0198...-12.json`: a number that rises, the batch's id, and how many lines are in it. */
const NAME = /^(\d{12})-([0-9a-f-]{36})-(\d{1,9})\.json$/;
const DROPPED = 'dropped';

/**
 * Log batches that the broker has not taken yet, one file each.
 *
 * It never takes more than `maxBytes` of the disk: the oldest go first, and how many lines went is kept until it has been
 * told. A full disk or a folder that cannot be written costs log lines, never the work that is being logged; so does a
 * loss of power, since nothing here is synced.
 */
export class Spool {
  #folder: string;
  #maxBytes: number;
  #sizes = new Map<string, number>();
  #bytes = 0;
  #last = 0;
  #dropped = 0;

  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      for (const name of readdirSync(folder).sort()) this.#find(name);
      this.#dropped = Number(readIfThere(join(folder, DROPPED)) ?? 0) || 0;
    } catch {
      // Without a folder nothing waits: what cannot be sent at once is dropped and counted.
    }
  }

  /** Lines that are lost and not told of yet. */
  get dropped(): number {
    return this.#dropped;
  }

  drop(lines: number): void {
    this.#noteDropped(this.#dropped + lines);
  }

  /** They will be told of. */
  takeDropped(): number {
    const taken = this.#dropped;
    if (taken > 0) this.#noteDropped(0);
    return taken;
  }

  /** Keeps a batch of so many lines; drops the oldest ones where there is no room. */
  put(id: string, lines: number, body: Buffer): void {
    const name = `${String(++this.#last).padStart(12, '0')}-${id}-${lines}.json`;
    try {
      writeFileSync(join(this.#folder, name), body, { mode: 0o600 });
      this.#note(name, body.length);
    } catch {
      this.#remove(name);
      this.drop(lines);
    }
    while (this.#bytes > this.#maxBytes) this.#dropOldest();
  }

  /** The batch that waits longest; undefined when none does. */
  first(): Spooled | undefined {
    for (const name of this.#sizes.keys()) {
      try {
        return { name, id: NAME.exec(name)![2]!, body: readFileSync(join(this.#folder, name)) };
      } catch {
        this.#dropOne(name);
      }
    }
    return undefined;
  }

  /** The broker has it. */
  taken(name: string): void {
    this.#remove(name);
  }

  #find(name: string): void {
    const [, number] = NAME.exec(name) ?? [];
    if (number !== undefined) {
      this.#note(name, statSync(join(this.#folder, name)).size);
      this.#last = Number(number);
    } else if (name !== DROPPED) rmSync(join(this.#folder, name), { force: true });
  }

  #note(name: string, size: number): void {
    this.#sizes.set(name, size);
    this.#bytes += size;
  }

  #dropOldest(): void {
    const [oldest] = this.#sizes.keys();
    if (oldest !== undefined) this.#dropOne(oldest);
  }

  #dropOne(name: string): void {
    this.drop(Number(NAME.exec(name)![3]));
    this.#remove(name);
  }

  #noteDropped(lines: number): void {
    this.#dropped = lines;
    try {
      writeFileSync(join(this.#folder, DROPPED), `${lines}`, { mode: 0o600 });
    } catch {
      // The next process will not tell of them.
    }
  }

  #remove(name: string): void {
    this.#bytes -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
    try {
      rmSync(join(this.#folder, name), { force: true });
    } catch {
      // It is found again at the next start, and sent once more: a batch is kept once.
    }
  }
}
