import { gzipSync } from 'node:zlib';
import { Header, type types } from 'tar';

const BLOCK = 512;
/** Where a header has its name, its size and its sum. */
export const NAME_AT = 0;
export const SIZE_AT = 124;
const SUM_AT = 148;
const SUM_BYTES = 8;

type EntryType = (typeof types.name extends Map<string, infer T> ? T : never) & string;

export type TarEntry = {
  path: string;
  type?: EntryType;
  body?: string | Buffer;
  /** What the header says, where that is not the body's length. */
  size?: number;
  linkpath?: string;
  mode?: number;
};

/** A tar file written by hand, for what no honest program would write. */
export function tarball(entries: TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(2 * BLOCK)]);
}

export const zipped = (entries: TarEntry[]): Buffer => gzipSync(tarball(entries));

/** What stands before an entry, or before all, and has the last word on it: records of `length key=value`. */
export function pax(
  values: Record<string, string | Buffer>,
  type: 'ExtendedHeader' | 'GlobalExtendedHeader' = 'ExtendedHeader',
): TarEntry {
  const records = Object.entries(values).map(([key, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
    const digits = String(rest.length + String(rest.length + 1).length); // the length counts itself
    return Buffer.concat([Buffer.from(digits), rest]);
  });
  return { path: 'pax', type, body: Buffer.concat(records) };
}

/** The first header says this there, and its sum fits. */
export function forged(tar: Buffer, at: number, bytes: Buffer): Buffer {
  const header = tar.subarray(0, BLOCK);
  bytes.copy(header, at);
  header.fill(' ', SUM_AT, SUM_AT + SUM_BYTES);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, SUM_AT);
  return tar;
}

function blocksOf({ path, type = 'File', body = '', size, linkpath, mode = 0o644 }: TarEntry): Buffer[] {
  const bytes = Buffer.from(body);
  const header = new Header({
    path,
    type,
    mode,
    size: size ?? bytes.length,
    ...(linkpath ? { linkpath } : {}),
    uid: 0,
    gid: 0,
    mtime: new Date(0),
  });
  const block = Buffer.alloc(BLOCK);
  header.encode(block, 0);
  const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  return [block, bytes, padding];
}
