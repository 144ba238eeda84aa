import { mkdirSync } from 'node:fs';
import { normalize } from 'node:path';
import { create, extract } from 'tar';
import { InputError } from './errors.ts';

/** Bounds against archives that unpack to more than they say. */
export const MAX_UNPACKED_BYTES = 512 << 20;
export const MAX_ENTRIES = 20_000;

/** Errors that are the disk's and not the archive's. */
const DISK = /^(ENOSPC|EDQUOT|EACCES|EPERM|EROFS|EIO|EMFILE|ENFILE)$/;

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
 * Unpacks into `folder`, which must be new or empty. Only plain files and folders pass: links, devices,
 * absolute paths, `..`, too many or too large entries are refused as a whole, before they are written.
 */
export async function unpack(file: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  let entries = 0;
  let bytes = 0;
  let refused: InputError | undefined;
  const refuse = (why: string) => {
    refused ??= new InputError('bad_archive', `the package is refused: ${why}`);
    return false;
  };
  await extract({
    file,
    cwd: folder,
    strict: true,
    preserveOwner: false,
    filter: (path, entry) => {
      if (refused) return false;
      entries++;
      bytes += entry.size ?? 0;
      const type = 'type' in entry ? entry.type : 'File';
      if (type !== 'File' && type !== 'Directory') return refuse(`${path} is a ${type}, not a plain file`);
      if (path.startsWith('/') || normalize(path).startsWith('..') || path.includes('\0')) {
        return refuse(`${path} leaves its folder`);
      }
      if (entries > MAX_ENTRIES) return refuse(`more than ${MAX_ENTRIES} entries`);
      if (bytes > MAX_UNPACKED_BYTES) return refuse(`more than ${MAX_UNPACKED_BYTES} bytes`);
      if (typeof entry.mode === 'number') entry.mode &= 0o755; // no set-user-id, nothing that all may write
      return true;
    },
  }).catch((cause: unknown) => {
    const code = (cause as NodeJS.ErrnoException).code;
    if (refused || DISK.test(code ?? '')) throw refused ?? cause;
    throw new InputError('bad_archive', `the package cannot be unpacked: ${(cause as Error).message}`, {
      cause,
    });
  });
  if (refused) throw refused;
}
