import { basename, dirname } from 'node:path';
import type { Disk } from './disk.ts';
import type { Op } from './trace.ts';

/** Follows the trace; `look` sees the disk before each op. */
export function follow(ops: Op[], disk: Disk, look: (op: Op, disk: Disk, index: number) => void): void {
  for (const [index, op] of ops.entries()) {
    look(op, disk, index);
    disk.apply(op);
  }
}

/**
 * What in a trace breaks the order of durable changes: content is synced before its file gets its name, and the
 * folder of a name that was given or taken is synced before anything else happens.
 */
export function outOfOrder(ops: Op[], disk: Disk): string[] {
  const found: string[] = [];
  let owed: string | undefined;
  follow(ops, disk, (op) => {
    if (owed !== undefined && !(op.do === 'sync' && op.path === owed)) {
      found.push(`${tell(op)} before the folder '${owed}' was synced`);
    }
    owed = undefined;
    if (op.do === 'rename') {
      const unsafe = disk.unsafe(op.path).filter((one) => one.startsWith('the content'));
      for (const one of unsafe) found.push(`${tell(op)} before ${one} was synced`);
    }
    // A name with a dot is one that nobody reads: it may be lost.
    const changed = op.do === 'rename' ? op.to : op.do === 'unlink' || op.do === 'link' ? op.path : undefined;
    if (changed !== undefined && !basename(changed).startsWith('.')) owed = folderOf(changed);
  });
  if (owed !== undefined) found.push(`the end before the folder '${owed}' was synced`);
  return found;
}

export const folderOf = (path: string) => (dirname(path) === '.' ? '' : dirname(path));

export function tell(op: Op): string {
  if (op.do === 'say') return `saying '${op.text}'`;
  return `${op.do} ${op.path}${op.do === 'rename' ? ` to ${op.to}` : ''}`;
}
