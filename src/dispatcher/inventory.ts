import type { Queryable } from '../lib/conn.ts';
import { InputError } from '../lib/errors.ts';
import { changedLabels, type LabelChanges } from '../lib/labels.ts';
import type { Context } from './context.ts';
import { endHold, type Hold, setHold } from './store/holds.ts';
import { allHosts } from './store/hosts.ts';
import { type Entry, lockEntries, setAllLabels } from './store/inventory.ts';
import { selectHosts } from './targets.ts';

/** What operators write down of hosts: labels, and holds. */

export async function idsOf(db: Queryable, on: string[]): Promise<string[]> {
  return selectHosts(await allHosts(db), on).map((host) => host.id);
}

/** Labels that are not named stay. Of how many hosts something has changed. */
export async function labelHosts({ db }: Context, hosts: string[], labels: LabelChanges): Promise<number> {
  return db.transaction(async (tx) => {
    const before = await lockEntries(tx, hosts);
    const changed = before.map((entry) => changedEntry(entry, { hosts: [], labels }, '')).filter(isChanged);
    await setAllLabels(
      tx,
      changed.map((one) => one.after),
    );
    return changed.length;
  });
}

/** What is brought for these hosts; what is not said stays as it is. A hold that is null ends, and so does one that is over. */
export type Brought = {
  hosts: string[];
  labels?: LabelChanges | undefined;
  hold?: { reason: string; until: Date | null } | null | undefined;
};
export type Changed = { before: Entry; after: Entry };
export type Import = { unknown: string[]; changed: Changed[] };

/** What bringing that would change: pure. `entries` are those of the hosts that there are. */
export function planImport(brought: Brought[], entries: Entry[], by: string): Import {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const unknown: string[] = [];
  for (const one of brought) {
    for (const id of one.hosts) {
      const entry = byId.get(id);
      if (entry) byId.set(id, changedEntry(entry, one, by).after);
      else unknown.push(id);
    }
  }
  const changed = entries.map((before) => ({ before, after: byId.get(before.id)! })).filter(isChanged);
  return { unknown, changed };
}

/** All of it or nothing: nothing where a host is not known, unless those are to be passed over. */
export async function importHosts(
  { db }: Context,
  brought: Brought[],
  how: { by: string; skipUnknown: boolean; dryRun: boolean },
): Promise<Import & { applied: boolean }> {
  const ids = [...new Set(brought.flatMap((one) => one.hosts))];
  return db.transaction(async (tx) => {
    const plan = planImport(brought, await lockEntries(tx, ids), how.by);
    const applied = !how.dryRun && (how.skipUnknown || plan.unknown.length === 0);
    if (applied) await write(tx, plan.changed);
    return { ...plan, applied };
  });
}

async function write(tx: Queryable, changed: Changed[]): Promise<void> {
  await setAllLabels(
    tx,
    changed.map((one) => one.after),
  );
  const holds = changed.filter(({ before, after }) => !sameHold(before.hold, after.hold));
  for (const group of Map.groupBy(holds, ({ after }) => JSON.stringify(after.hold)).values()) {
    const hosts = group.map(({ after }) => after.id);
    const { hold } = group[0]!.after;
    if (hold) await setHold(tx, hosts, { ...hold, forMs: null });
    else await endHold(tx, hosts);
  }
}

function changedEntry(before: Entry, { labels = {}, hold }: Brought, by: string): Changed {
  const wanted = changedLabels(before.labels, labels);
  if (!wanted)
    throw new InputError('bad_argument', `${before.id} would have more labels than a host may have`);
  const isOver = hold?.until != null && hold.until.getTime() <= Date.now();
  const next = hold === undefined ? before.hold : hold && !isOver ? { ...hold, by } : null;
  return {
    before,
    after: { id: before.id, labels: wanted, hold: sameHold(before.hold, next) ? before.hold : next },
  };
}

/** Whoever it was: a hold that says the same stays that of who said it first. */
function sameHold(a: Hold | null, b: Hold | null): boolean {
  return a?.reason === b?.reason && a?.until?.getTime() === b?.until?.getTime();
}

function isChanged({ before, after }: Changed): boolean {
  const names = new Set([...Object.keys(before.labels), ...Object.keys(after.labels)]);
  return (
    !sameHold(before.hold, after.hold) ||
    [...names].some((name) => before.labels[name] !== after.labels[name])
  );
}
