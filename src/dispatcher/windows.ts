import type { Queryable } from '../lib/conn.ts';
import { isOpen, nextChange, readWindow } from '../lib/when/window.ts';
import type { DrivenJob } from './store/driving.ts';
import { allHosts } from './store/hosts.ts';
import { databaseNow } from './store/server.ts';
import { listWindows, type WindowRow } from './store/windows.ts';
import { hostsMeant } from './targets.ts';

/**
 * When work may begin on which hosts.
 *
 * - Which windows a host keeps is decided when its task is made, and kept with the task.
 * - A host that keeps windows may begin only while one of them is open; a job may have a window of its own besides.
 * - What has begun when a window closes goes on to its end.
 * - A window that was removed keeps nobody waiting.
 */
export type Openness = { open: ReadonlySet<string>; closed: ReadonlySet<string> };

/** Pings change nothing, and ask whether a host is there now. */
export const keepsWindows = (type: string) => type !== 'ping';

/** The windows that a host keeps: their names with commas between them, and whether it may begin now. */
export type Kept = { names: string; open: boolean };

/** By host; those that keep none are left out. A window may be there before the first of its hosts, and after the last. */
export async function windowsOf(db: Queryable, tasks: { host: string }[]): Promise<Map<string, Kept>> {
  const windows = await listWindows(db);
  if (windows.length === 0) return new Map();
  const openness = opennessOf(windows, await databaseNow(db));
  const all = await allHosts(db);
  const kept = new Map<string, string[]>(tasks.map(({ host }) => [host, []]));
  for (const { name, on } of windows) for (const { id } of hostsMeant(all, on)) kept.get(id)?.push(name);
  const keeping = [...kept].filter(([, names]) => names.length > 0);
  return new Map(
    keeping.map(([host, each]) => {
      const names = each.join(',');
      return [host, { names, open: mayBegin(names, openness) }];
    }),
  );
}

/** Pure. */
export function opennessOf(rows: Timed[], now: Date): Openness {
  const isOpenNow = ({ open, zone }: Timed) => isOpen(readWindow(open, zone), now);
  const names = (some: Timed[]) => new Set(some.map(({ name }) => name));
  return {
    open: names(rows.filter(isOpenNow)),
    closed: names(rows.filter((row) => !isOpenNow(row))),
  };
}

type Timed = Pick<WindowRow, 'name' | 'open' | 'zone'>;

/** When the first of these windows, which are closed, opens. Pure. */
export function firstOpening(rows: Timed[], now: Date): Date | null {
  const times = rows.flatMap(({ open, zone }) => nextChange(readWindow(open, zone), now)?.getTime() ?? []);
  return times.length === 0 ? null : new Date(Math.min(...times));
}

/** Whether a host that keeps these windows may begin. `names`: as `windowsOf` tells them. */
export function mayBegin(names: string | null, { open, closed }: Openness): boolean {
  const kept = (names ?? '').split(',').filter((name) => open.has(name) || closed.has(name));
  return kept.length === 0 || kept.some((name) => open.has(name));
}

/** What keeps a job from beginning on some of its hosts, or on all. */
export type Gate = {
  /** The job's own window is closed. */
  shut: boolean;
  /** The sets of windows that its hosts keep and of which none is open. */
  closedSets: string[];
  opensAt(): Date | null;
};

export async function gateOf(
  db: Queryable,
  { limits, windowSets, now }: Pick<DrivenJob, 'limits' | 'windowSets' | 'now'>,
): Promise<Gate> {
  const own = limits.window === undefined ? undefined : readWindow(limits.window, 'UTC');
  if (own && !isOpen(own, now)) return { shut: true, closedSets: [], opensAt: () => nextChange(own, now) };
  const rows = windowSets.length === 0 ? [] : await listWindows(db);
  const openness = opennessOf(rows, now);
  const closedSets = windowSets.filter((names) => !mayBegin(names, openness));
  const waited = new Set(closedSets.flatMap((names) => names.split(',')));
  const opensAt = () =>
    firstOpening(
      rows.filter(({ name }) => waited.has(name)),
      now,
    );
  return { shut: false, closedSets, opensAt };
}
