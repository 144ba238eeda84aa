/** What a task's state means to whoever watches. */
export type Kind = 'good' | 'bad' | 'moving' | 'waiting' | 'cancelled';

/** In the order in which states are told. */
const KINDS: Record<string, Kind> = {
  succeeded: 'good',
  skipped: 'good',
  failed: 'bad',
  timed_out: 'bad',
  interrupted: 'bad',
  rejected: 'bad',
  lost: 'bad',
  expired: 'bad',
  undeliverable: 'bad',
  cancelled: 'cancelled',
  cancelling: 'moving',
  running: 'moving',
  accepted: 'moving',
  queued: 'moving',
  pending: 'waiting',
};
const ORDER = Object.keys(KINDS);

/** A state of a dispatcher that is newer than we are is told as one that nobody hoped for. */
export const kindOf = (state: string): Kind => KINDS[state] ?? 'bad';

export const statesOf = (...kinds: Kind[]) => ORDER.filter((state) => kinds.includes(kindOf(state)));

export const hasEndedWell = (state: string) => kindOf(state) === 'good';
export const isOpen = (state: string) => kindOf(state) === 'moving' || kindOf(state) === 'waiting';

/** The host has said nothing, or nothing more. */
export const UNANSWERED = ['lost', 'expired', 'undeliverable'];

export type Counts = Record<string, number>;

export function total(counts: Counts, ...kinds: Kind[]): number {
  const counted = Object.entries(counts).filter(
    ([state]) => kinds.length === 0 || kinds.includes(kindOf(state)),
  );
  return counted.reduce((sum, [, n]) => sum + n, 0);
}

export const endedOf = (counts: Counts) => total(counts, 'good', 'bad', 'cancelled');

/** `3 succeeded, 1 failed`: always in the same order, so that the eye finds a word where it was. */
export function countsOf(counts: Counts): string {
  const place = (state: string) => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length);
  const told = Object.entries(counts).toSorted(([a], [b]) => place(a) - place(b));
  return told.map(([state, n]) => `${n} ${state}`).join(', ') || 'no hosts';
}
