import type { Stats } from 'node:fs';
import { normalize } from 'node:path';
import { InputError } from '../errors.ts';

/** Bounds against archives that unpack to more than they say. */
export const MAX_UNPACKED_BYTES = 512 << 20;
export const MAX_ENTRIES = 20_000;
const MAX_DEPTH = 32;
const MAX_NAME_BYTES = 255;

/** Controls, what turns text around, and what was no UTF-8: none of our names has such, and terminals obey some. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\ufffd]/u;
const MAX_TOLD = 100;

/** What the parser knows of an entry before its content. */
type Entry = { size: number; type?: string; linkpath?: string | undefined } | Stats;

/** Looks at each entry of one archive in turn. The first that it refuses is the reason why all of it is refused. */
export class Scrutiny {
  refused: InputError | undefined;
  #entries = 0;
  #bytes = 0;
  #files = new Set<string>();

  passes(path: string, entry: Entry): boolean {
    if (this.refused) return false;
    const { size } = entry;
    const type = 'type' in entry ? entry.type : 'File';
    const link = 'linkpath' in entry ? entry.linkpath : undefined;
    const wrong = wrongKind(type, size, link) ?? wrongName(path) ?? this.#twice(path, type);
    if (wrong !== undefined) this.refuse(path, wrong);
    else this.count(size);
    return this.refused === undefined;
  }

  /** Counts what an entry takes, or a header that comes before one. */
  count(bytes: number): void {
    this.#entries++;
    this.#bytes += bytes;
    if (this.#entries > MAX_ENTRIES) this.refuse('it', `has more than ${MAX_ENTRIES} entries`);
    if (this.#bytes > MAX_UNPACKED_BYTES) this.refuse('it', `has more than ${MAX_UNPACKED_BYTES} bytes`);
  }

  refuse(path: string, why: string): void {
    const name = path.slice(0, MAX_TOLD).replace(new RegExp(UNPRINTABLE, 'gu'), '\ufffd');
    this.refused ??= new InputError('bad_archive', `the package is refused: ${name} ${why}`);
  }

  /** Also where only the case differs: there are disks on which those are one file. */
  #twice(path: string, type: string | undefined): string | undefined {
    if (type !== 'File') return undefined;
    const name = normalize(path).normalize('NFC').toLowerCase();
    if (this.#files.has(name)) return 'is there twice';
    this.#files.add(name);
    return undefined;
  }
}

function wrongKind(type: string | undefined, size: number, link: string | undefined): string | undefined {
  if (type !== 'File' && type !== 'Directory') return `is a ${type}, not a plain file`;
  if (link) return `is a ${type} that links to something`;
  return Number.isInteger(size) || size === Number.POSITIVE_INFINITY ? undefined : `has ${size} bytes`;
}

function wrongName(path: string): string | undefined {
  if (UNPRINTABLE.test(path)) return 'holds characters that cannot be shown';
  const parts = path.split('/');
  if (path.startsWith('/') || parts.includes('..') || path.includes('\\')) return 'leaves its folder';
  if (parts.length > MAX_DEPTH) return `lies more than ${MAX_DEPTH} folders deep`;
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)) return 'has too long a name';
  return undefined;
}
