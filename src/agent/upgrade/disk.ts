import { codeOf, MegaError } from '../../lib/errors.ts';

/** The system says that there is no space, but not where, nor what to do. */
export async function namingFullDisk<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = codeOf(cause);
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    throw new MegaError('disk_full', `no space left in ${folder}: free some, and order it again`, { cause });
  }
}
