import type { Queryable } from '../lib/conn.ts';
import { isOpen, nextChange, readWindow } from '../lib/when/window.ts';
import type { DrivenJob } from './store/driving.ts';
import { allHosts } from './store/hosts.ts';
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
export type Openness = {
  open: ReadonlySet<string>;
  closed: ReadonlySet<string>;
  /** When the next of them opens or closes. */
  changesAt: Date | null;
};

/** Pings change nothing, and ask whether a host is there now. */
export const keepsWindows = (type: string) => type !== 'ping';

/** A window may be there before the first of its hosts, and after the last. The names of the windows that the host of each task keeps, by host, with commas between them; those that keep none are left out. */
export async function windowsOf(db: Queryable, tasks: { host: string }[]): Promise<Map<string, string>> {
  const windows = await listWindows(db);
  if (windows.length === 0) return new Map();
  const all = await allHosts(db);
  const wanted = new Set(tasks.map((task) => task.host));
  const kept = new Map<string, string[]>();
  for (const { name, on } of windows)
    for (const { id } of hostsMeant(all, on))
      if (wanted.has(id)) kept.set(id, [...(kept.get(id) ?? []), name]);
  return new Map([...kept].map(([id, names]) => [id, names.join(',')]));
}

/** Pure. */
export function opennessOf(rows: Pick<WindowRow, 'name' | 'open' | 'zone'>[], now: Date): Openness {
  const windows = rows.map(({ name, open, zone }) => ({ name, window: readWindow(open, zone) }));
  const names = (wanted: boolean) =>
    new Set(windows.filter(({ window }) => isOpen(window, now) === wanted).map(({ name }) => name));
  const changes = windows.map(({ window }) => nextChange(window, now)?.getTime() ?? Number.POSITIVE_INFINITY);
  const first = Math.min(...changes);
  return {
    open: names(true),
    closed: names(false),
    changesAt: Number.isFinite(first) ? new Date(first) : null,
  };
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
  opensAt: Date | null;
};

export async function gateOf(
  db: Queryable,
  { limits, windowSets, now }: Pick<DrivenJob, 'limits' | 'windowSets' | 'now'>,
): Promise<Gate> {
  const own = limits.window === undefined ? undefined : readWindow(limits.window, 'UTC');
  if (own && !isOpen(own, now)) return { shut: true, closedSets: [], opensAt: nextChange(own, now) };
  const rows = windowSets.length === 0 ? [] : await listWindows(db);
  const openness = opennessOf(rows, now);
  const closedSets = windowSets.filter((names) => !mayBegin(names, openness));
  const kept = new Set(closedSets.flatMap((names) => names.split(',')));
  const { changesAt } = opennessOf(
    rows.filter(({ name }) => kept.has(name)),
    now,
  );
  return { shut: false, closedSets, opensAt: changesAt };
}
