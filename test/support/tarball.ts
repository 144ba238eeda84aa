import { gzipSync } from 'node:zlib';
import { Header, type types } from 'tar';

const BLOCK = 512;

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
