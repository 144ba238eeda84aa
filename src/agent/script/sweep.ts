import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, unlessMissing } from '../../lib/files.ts';
import { clearWork } from '../keeper/work.ts';
import type { Room } from '../room.ts';

/** Removes what is left of runs whose task has ended: what their results do not hold is gone then. */
export async function sweepRuns({ home, journal }: Room): Promise<void> {
  const open = new Set(journal.open().map((entry) => entry.order.task));
  const over = (folder: string) =>
    (unlessMissing(() => readdirSync(folder)) ?? []).filter((task) => !open.has(task));
  for (const task of over(home.scriptRuns)) removeFolder(join(home.scriptRuns, task));
  for (const task of over(home.work)) await clearWork(join(home.work, task));
}
