/**
 * How much one host has said of late: pure. A level rises with each message and sinks evenly, by the whole bound in an
 * interval: a host may say as much as the bound at once, and then as much again in each interval.
 */
export type Bounds = {
  intervalMs: number;
  messages: number;
  bytes: number;
  calls: number;
  /** What cannot be read: an honest host says none of it, or, being of another version, a little. */
  unread: number;
};
export type Kind = Exclude<keyof Bounds, 'intervalMs'>;
export type Levels = Record<Kind, number> & { at: number };

export const KINDS = ['messages', 'bytes', 'calls', 'unread'] as const satisfies Kind[];

export const nothing = (at: number): Levels => ({ at, messages: 0, bytes: 0, calls: 0, unread: 0 });

/** Raises one level; returns what is past its bound then. */
export function raise(levels: Levels, kind: Kind, by: number, bounds: Bounds, now: number): Kind | undefined {
  sink(levels, bounds, now);
  levels[kind] += by;
  return levels[kind] > bounds[kind] ? kind : undefined;
}

/** Lets all levels sink to where they are now; true when they are empty. */
export function sink(levels: Levels, bounds: Bounds, now: number): boolean {
  const share = (now - levels.at) / bounds.intervalMs;
  levels.at = now;
  let empty = true;
  for (const kind of KINDS) {
    levels[kind] = Math.max(0, levels[kind] - share * bounds[kind]);
    if (levels[kind] > 0) empty = false;
  }
  return empty;
}
