import { createReadStream, mkdirSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { create, extract, Parser } from 'tar';
import { MAX_ENTRIES, MAX_UNPACKED_BYTES, Scrutiny } from './archive/scrutiny.ts';
import { InputError } from './errors.ts';

export { MAX_ENTRIES, MAX_UNPACKED_BYTES } from './archive/scrutiny.ts';

/** Of the archive before it is unpacked: what its files may have, and a header or two for each. */
const MAX_TAR_BYTES = MAX_UNPACKED_BYTES + 2_048 * MAX_ENTRIES;
/** Tar fills its last record with zeros. The parser keeps what comes after the end, and copies it each time more comes. */
const MAX_FILLING_BYTES = 1 << 20;
/** Of what may stand before an entry: a long name, times, an owner. */
const MAX_HEADER_BYTES = 64 << 10;

/** Errors that are the disk's and not the archive's. */
const DISK = /^(ENOSPC|EDQUOT|EACCES|EPERM|EROFS|EIO|EMFILE|ENFILE)$/;

/** Nothing that gives rights, nothing that others may write. */
const MODE = 0o755;

/**
 * Packs the files of a folder, the same bytes for the same content.
 */
export async function pack(folder: string, names: string[], file: string): Promise<void> {
  await create(
    { cwd: folder, file, gzip: { level: 9 }, portable: true, noMtime: true, mtime: new Date(0) },
    names,
  );
}

/**
 * Unpacks into `folder`, which must be new or empty. Only plain files and folders pass: links, devices, names that lead
 * out or that no honest package has, too many or too large entries are refused as a whole, before anything is written.
 *
 * It is read twice for that. Stopping in the middle would leave writes under way; going on to the end is what an archive
 * of a million entries is made for.
 */
export async function unpack(file: string, folder: string): Promise<void> {
  await namingTheArchive(() => examine(file));
  mkdirSync(folder, { recursive: true });
  const scrutiny = new Scrutiny();
  await namingTheArchive(() =>
    extract({
      file,
      cwd: folder,
      strict: true,
      preserveOwner: false,
      filter: (path, entry) => {
        if (!scrutiny.passes(path, entry)) return false;
        if (typeof entry.mode === 'number') entry.mode &= MODE;
        return true;
      },
    }),
  );
  if (scrutiny.refused) throw scrutiny.refused; // the file has changed meanwhile
}

async function examine(file: string): Promise<void> {
  const scrutiny = new Scrutiny();
  const seen = { damage: undefined as Error | undefined, ended: false };
  const parser = reader(scrutiny, seen);
  const stopIfWrong = () => {
    if (scrutiny.refused ?? seen.damage) throw scrutiny.refused ?? seen.damage;
  };
  await pipeline(createReadStream(file), createGunzip(), async (chunks: AsyncIterable<Buffer>) => {
    let [bytes, filling] = [0, 0];
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (seen.ended) filling += chunk.length;
      if (bytes > MAX_TAR_BYTES) scrutiny.refuse('it', `has more than ${MAX_TAR_BYTES} bytes`);
      else if (filling > MAX_FILLING_BYTES) scrutiny.refuse('it', 'goes on after its end');
      else if (!seen.ended) parser.write(chunk);
      stopIfWrong();
    }
    parser.end();
    stopIfWrong();
  });
}

/** Reads a tar for its entries alone. */
function reader(scrutiny: Scrutiny, seen: { damage: Error | undefined; ended: boolean }): Parser {
  const parser = new Parser({
    strict: true,
    maxMetaEntrySize: MAX_HEADER_BYTES,
    filter: (path, entry) => scrutiny.passes(path, entry),
    onReadEntry: (entry) => entry.resume(),
  });
  parser.on('error', (error: Error) => {
    seen.damage ??= error;
  });
  parser.on('eof', () => {
    seen.ended = true;
  });
  parser.on('meta', (text: string) => scrutiny.count(Buffer.byteLength(text)));
  // Of a kind that the parser passes over by itself, or too large a header.
  parser.on('ignoredEntry', ({ path, type }: { path: string; type: string }) => {
    scrutiny.refuse(path, `is a ${type}, not a plain file`);
  });
  return parser;
}

async function namingTheArchive(work: () => Promise<void>): Promise<void> {
  await work().catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (cause instanceof InputError || DISK.test(code ?? '')) throw cause;
    throw new InputError('bad_archive', `the package cannot be unpacked: ${message}`, { cause });
  });
}
