import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { describe, MegaError } from '../../lib/errors.ts';
import { unlessMissing } from '../../lib/files.ts';
import type { Logger } from '../../lib/logs.ts';
import { check, schemas } from '../../lib/messages.ts';
import { OWN_PREFIX, ownName } from '../../lib/orders.ts';
import type { Run, TaskType } from './task.ts';

const MAX_OUTPUT_BYTES = 256 << 10;

/** What a team's own task is given. */
export type OwnRun = {
  args: Record<string, unknown>;
  host: string;
  task: string;
  /** Aborted at the task's limit, and when it is cancelled or the agent stops: what does not heed it goes on alone. */
  signal: AbortSignal;
  log: Logger;
};

/** What a file of the package's folder `tasks` exports as `task`. Its name is that of the file. */
const ownTask = z.object({
  /** See {@link TaskType}; a restart of the agent in the middle leaves it `interrupted`. */
  lane: z.enum(['control', 'exclusive', 'script']).default('script'),
  run: z.custom<(run: OwnRun) => Promise<Record<string, unknown> | undefined>>(
    (it) => typeof it === 'function',
    'a function',
  ),
});

/**
 * The tasks that a release brings along in `tasks/*.mjs`, signed with the rest of its package. Error: `bad_task`, in which
 * file and why; a release with one does not pass its self-test.
 */
export async function ownTasks(release: string): Promise<TaskType[]> {
  const folder = join(release, 'tasks');
  const files = (unlessMissing(() => readdirSync(folder)) ?? []).filter((name) => name.endsWith('.mjs'));
  return Promise.all(files.toSorted().map((file) => load(join(folder, file), file.slice(0, -'.mjs'.length))));
}

async function load(path: string, name: string): Promise<TaskType> {
  try {
    check(ownName, name);
    const { task } = (await import(pathToFileURL(path).href)) as { task?: unknown };
    const { lane, run } = check(ownTask, task);
    return { name: `${OWN_PREFIX}${name}`, lane, onCrash: 'interrupted', run: (it) => carryOut(it, run) };
  } catch (cause) {
    throw new MegaError('bad_task', `the task ${name} in ${path} cannot be used: ${describe(cause)}`, {
      cause,
    });
  }
}

async function carryOut({ room, entry, signal }: Run, run: (it: OwnRun) => Promise<unknown>) {
  const { task, args } = entry.order;
  const log = room.logger.child({ task });
  const output = check(
    schemas.json,
    (await unlessAborted(run({ args, host: room.host, task, signal, log }), signal)) ?? {},
  );
  const bytes = Buffer.byteLength(JSON.stringify(output));
  if (bytes > MAX_OUTPUT_BYTES) {
    throw new MegaError('too_large', `it returned ${bytes} bytes; at most ${MAX_OUTPUT_BYTES} are kept`);
  }
  return { state: 'succeeded', output } as const;
}

/** One that does not heed its limit must not hold its lane for ever (I6). */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  return Promise.race([work, aborted]);
}
