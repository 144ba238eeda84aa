import { statfs } from 'node:fs/promises';
import { readIfThere } from '../../lib/files.ts';
import { withDeadline } from '../../lib/utils.ts';

const MAX_DISKS = 100;
const LIMIT_MS = 2_000;

export type Disk = { mount: string; device: string; type: string; bytes: number; freeBytes: number };

/**
 * What is mounted from a disk of this machine; of a device that is mounted in several places the first. Not what lies
 * elsewhere: asking a file server that is gone may last for ever.
 */
export async function disks(): Promise<Disk[]> {
  const found = mounted(readIfThere('/proc/self/mounts') ?? '').slice(0, MAX_DISKS);
  const measured = await Promise.all(found.map(measure));
  return measured.filter((one) => one !== undefined);
}

type Mounted = Pick<Disk, 'mount' | 'device' | 'type'>;

export function mounted(text: string): Mounted[] {
  const seen = new Set<string>();
  return text.split('\n').flatMap((line) => {
    const [device = '', mount = '', type = ''] = line.split(' ').map(unescaped);
    if (!device.startsWith('/dev/') || type === 'squashfs' || seen.has(device)) return [];
    seen.add(device);
    return [{ mount, device, type }];
  });
}

/** The kernel writes blanks and the like as `\040`. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

async function measure(one: Mounted): Promise<Disk | undefined> {
  try {
    const late = () => new Error('the disk does not answer');
    const { blocks, bavail, bsize } = await withDeadline(statfs(one.mount), LIMIT_MS, late);
    return { ...one, bytes: blocks * bsize, freeBytes: bavail * bsize };
  } catch {
    return undefined; // not for us to see, or not there any more
  }
}
