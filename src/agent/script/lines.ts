import { writeFileSync } from 'node:fs';
import { readIfThere } from '../../lib/files.ts';
import { type LogLine, MAX_LINE } from '../../lib/log-lines.ts';
import type { RunFolder } from '../keeper/run-folder.ts';
import { readOutput } from '../keeper/segments.ts';

/** In one look; what is written faster than that for long is passed over, and told. */
const MOST = 64 << 10;

export type Ship = (line: LogLine) => void;

/**
 * Ships what a script writes, a line at a time, as it is written: beside the result, which holds its ends. How far it came is
 * noted in the run's folder, so that the next agent goes on there; killed in between, it says a few lines again.
 */
export class Lines {
  #folder: RunFolder;
  #about: Pick<LogLine, 'task' | 'script'>;
  #ship: Ship;
  #at: number;
  /** Of a line that has no end yet. */
  #rest = Buffer.alloc(0);

  constructor(folder: RunFolder, about: { task: string; script: string }, ship: Ship) {
    this.#folder = folder;
    this.#about = about;
    this.#ship = ship;
    this.#at = Number(readIfThere(folder.at('shipped')) ?? 0);
  }

  /** Ships whole lines of what is new; false when there was nothing. */
  look(): boolean {
    const { at, bytes } = readOutput(this.#folder.path, this.#at, MOST);
    if (bytes.length === 0) return false;
    if (at > this.#at) this.#skip(at - this.#at);
    this.#at = at + bytes.length;
    const all = Buffer.concat([this.#rest, bytes]);
    const end = all.lastIndexOf('\n') + 1;
    this.#rest = all.subarray(end);
    for (const line of all.toString('utf8', 0, end).split('\n').slice(0, -1)) this.#tell('info', line);
    if (this.#rest.length > MAX_LINE) this.#flush();
    this.#note();
    return true;
  }

  /** All that is left, once nothing is written any more. */
  finish(): void {
    while (this.look());
    this.#flush();
    this.#note();
  }

  #skip(bytes: number): void {
    this.#flush();
    this.#tell('warn', `(${bytes} bytes were written too fast to be told here)`);
  }

  #flush(): void {
    if (this.#rest.length > 0) this.#tell('info', this.#rest.toString('utf8'));
    this.#rest = Buffer.alloc(0);
  }

  #tell(level: LogLine['level'], text: string): void {
    this.#ship({ ...this.#about, at: Date.now(), level, text });
  }

  /** Up to the last whole line. */
  #note(): void {
    try {
      writeFileSync(this.#folder.at('shipped'), String(this.#at - this.#rest.length), {
        mode: 0o600,
      });
    } catch {
      // On a full disk: the next agent says more again.
    }
  }
}
