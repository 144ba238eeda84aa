import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTicks } from './ticks.ts';

/*
 * INVARIANTS
 * - Each server lives in a folder of its own, KIND-OWNERPID-OWNERSTART-RANDOM. The name says from its first moment
 *   whose it is; the start time (clock ticks since boot) tells an owner from a later process with the same id.
 * - A folder is removed only by its owner, or by anyone once its owner is dead.
 * - Every process of a server carries its folder in the environment as `folderVariable`, so that all of them,
 *   daemons included, can be found and ended.
 */
export const folderVariable = 'MEGA_SERVER_FOLDER';

const kinds = ['rabbitmq', 'mariadb'] as const;
const folderName = /^(?:rabbitmq|mariadb)-(\d+)-(\d+)-\w+$/;

export async function createFolder(parent: string, kind: (typeof kinds)[number]): Promise<string> {
  const absolute = resolve(parent);
  await mkdir(absolute, { recursive: true });
  await sweep(absolute);
  return await mkdtemp(join(absolute, `${kind}-${process.pid}-${startTicks(process.pid)}-`));
}

/** Ends whatever still runs there, then removes it. */
export async function removeFolder(folder: string): Promise<void> {
  await endProcesses(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Removes what owners that were killed left behind. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid, ticks] = folderName.exec(name) ?? [];
    if (pid === undefined || ticks === undefined) continue;
    if (startTicks(Number(pid)) !== ticks) await removeFolder(join(parent, name));
  }
}

async function endProcesses(folder: string): Promise<void> {
  for (;;) {
    const pids = await processesOf(folder);
    if (pids.length === 0) return;
    for (const pid of pids) killIfThere(pid);
    await sleep(10);
  }
}

async function processesOf(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const entry = `${folderVariable}=${folder}`;
  const found = await Promise.all(pids.map(async (pid) => (await environmentOf(pid)).includes(entry)));
  return pids.filter((_, index) => found[index]);
}

/** Empty for the processes of other users and for those that are gone or not yet reaped. */
async function environmentOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return text.split('\0');
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}
