import { closeSync, fstatSync, openSync, readdirSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { unlessMissing } from '../../lib/files.ts';

/**
 * A script's output on disk, bounded whatever it writes: files named for the offset of their first byte, of which the
 * first one (the head) and the last two (the tail) stay. So whoever follows it knows where he is, and what he has missed.
 */
const NAME = /^out\.(\d+)$/;
const KEPT_AT_THE_END = 2;

export class Segments implements Disposable {
  /** What came, and what of it could not be written: the disk is full. */
  total = 0;
  lostBytes = 0;
  #folder: string;
  #headBytes: number;
  #segmentBytes: number;
  #at = 0;
  #file: number | undefined;
  #starts: number[] = [];

  constructor(folder: string, headBytes: number, segmentBytes: number) {
    this.#folder = folder;
    this.#headBytes = headBytes;
    this.#segmentBytes = segmentBytes;
  }

  write(bytes: Buffer): void {
    for (let from = 0; from < bytes.length; ) {
      const part = bytes.subarray(from, from + this.#room());
      this.#append(part);
      this.total += part.length;
      from += part.length;
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** What the file that is open may still take. */
  #room(): number {
    const most = this.#starts.length === 1 ? this.#headBytes : this.#segmentBytes;
    if (this.#starts.length > 0 && this.total - this.#at < most) return most - (this.total - this.#at);
    this.#begin();
    return this.#starts.length === 1 ? this.#headBytes : this.#segmentBytes;
  }

  #begin(): void {
    this[Symbol.dispose]();
    this.#at = this.total;
    this.#starts.push(this.#at);
    if (this.#starts.length > 1 + KEPT_AT_THE_END) {
      const [gone] = this.#starts.splice(1, 1);
      unlinkSync(join(this.#folder, `out.${gone}`));
    }
    this.#file = openSync(join(this.#folder, `out.${this.#at}`), 'a', 0o600);
  }

  /** A full disk must not stop the script that writes. */
  #append(bytes: Buffer): void {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#file!, bytes, written);
    } catch {
      this.lostBytes += bytes.length - written;
    }
  }
}

/** How many bytes were written so far, those that are gone included. */
export function lengthOf(folder: string): number {
  const last = startsIn(folder).at(-1);
  return last === undefined ? 0 : last + withFile(folder, last, (file) => fstatSync(file).size);
}

/** What is there from this offset on, `most` bytes at most, and where it begins: later, if what was there is gone. */
export function readOutput(folder: string, from: number, most: number): { at: number; bytes: Buffer } {
  const parts: Buffer[] = [];
  let [at, next] = [from, from];
  for (const start of startsIn(folder)) {
    const wanted = most - (next - at);
    if (parts.length > 0 && start > next) break; // a gap ends what is read at once
    const position = Math.max(0, next - start);
    const read = () => withFile(folder, start, (file) => readAt(file, position, wanted));
    const bytes = unlessMissing(read) ?? Buffer.alloc(0); // its keeper may be a segment further
    if (bytes.length === 0) continue;
    if (parts.length === 0) at = start + position;
    parts.push(bytes);
    next = start + position + bytes.length;
  }
  return { at, bytes: Buffer.concat(parts) };
}

function startsIn(folder: string): number[] {
  const found = readdirSync(folder).flatMap((name) => NAME.exec(name)?.slice(1) ?? []);
  return found.map(Number).toSorted((a, b) => a - b);
}

function readAt(file: number, position: number, most: number): Buffer {
  const buffer = Buffer.alloc(Math.max(0, Math.min(most, fstatSync(file).size - position)));
  return buffer.subarray(0, buffer.length && readSync(file, buffer, 0, buffer.length, position));
}

function withFile<T>(folder: string, start: number, use: (file: number) => T): T {
  const file = openSync(join(folder, `out.${start}`), 'r');
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}
