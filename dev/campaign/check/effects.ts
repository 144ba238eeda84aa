import type { Evidence, HostEvidence, JournalTask, TaskRow } from '../evidence.ts';
import type { Violation } from '../violation.ts';

/**
 * No effect happened twice, and none without its task (I1). A loader's log knows of starts and of going back, and a
 * journal of trials that were opened and of ends: neither was written with the other at hand.
 */
export function checkEffects(evidence: Evidence): Violation[] {
  const rows = new Map(evidence.tasks.map((row) => [row.id, row]));
  return [
    ...heldTwice(evidence.hosts),
    ...evidence.hosts.flatMap((one) => [
      ...tooManySwitches(one),
      ...unexplainedTrials(one, rows),
      ...wrongVersions(one, evidence.first),
    ]),
  ];
}

function heldTwice(hosts: HostEvidence[]): Violation[] {
  const first = new Map<string, string>();
  return hosts.flatMap(({ host, journal }) =>
    journal.tasks.flatMap(({ id }) => {
      const other = first.get(id) ?? host;
      first.set(id, other);
      if (other === host) return [];
      return [{ rule: 'once' as const, host, task: id, evidence: `is in the journal of ${other}, too` }];
    }),
  );
}

/** Every way to a version, and every way back from it, is one of the trials that its tasks have opened. */
function tooManySwitches({ host, loader, journal }: HostEvidence): Violation[] {
  const to = new Map<string, number>();
  const back = new Map<string, number>();
  const add = (counts: Map<string, number>, version: string) =>
    counts.set(version, (counts.get(version) ?? 0) + 1);
  let runs: string | undefined;
  let wentBack = false;
  for (const word of loader) {
    if (word.did === 'go back') {
      if (!wentBack) add(back, word.from); // a loader that is killed between its word and the deed says it again
      wentBack = true;
    }
    if (word.did !== 'start') continue;
    if (runs !== undefined && word.version !== runs && !(wentBack && !word.onTrial)) add(to, word.version);
    runs = word.version;
    wentBack = false;
  }
  const holds = (version: string) =>
    journal.tasks.filter((one) => one.to === version).reduce((sum, one) => sum + one.holds, 0);
  const tooMany = (counts: Map<string, number>, what: string) =>
    [...counts]
      .filter(([version, times]) => times > holds(version))
      .map(([version, times]): Violation => {
        const evidence = `${what} ${version} ${times} times, with ${holds(version)} trials opened`;
        return { rule: 'once', host, task: '', evidence };
      });
  return [...tooMany(to, 'was switched to'), ...tooMany(back, 'went back from')];
}

/** Each trial was announced before it was opened. */
function unexplainedTrials({ host, journal }: HostEvidence, rows: Map<string, TaskRow>): Violation[] {
  return journal.tasks.flatMap(({ id, holds }) => {
    const told = rows.get(id)?.events.filter((one) => one.phase === 'switching').length ?? 0;
    if (holds <= told) return [];
    const evidence = `opened ${holds} trials, and told of switching ${told} times`;
    return [{ rule: 'once' as const, host, task: id, evidence }];
  });
}

/** What ran at each end, and what runs now, follows from the upgrades that succeeded, one after the other. */
function wrongVersions({ host, journal, current }: HostEvidence, first: string): Violation[] {
  let version = first;
  const found: Violation[] = [];
  const began = journal.tasks.filter(
    (one) => one.to !== undefined && one.state === 'ended' && one.phase !== null,
  );
  for (const task of began.toSorted(byEnd)) {
    const { last } = task;
    if (last?.state === 'succeeded') version = task.to ?? version;
    if (!last || last.running === version) continue;
    const evidence = `ended ${last.state} with ${last.running} running; by what succeeded it should be ${version}`;
    found.push({ rule: 'once', host, task: task.id, evidence });
  }
  if (current !== version) {
    const evidence = `current names ${current}; by what succeeded it should be ${version}`;
    found.push({ rule: 'version', host, task: '', evidence });
  }
  return found;
}

const byEnd = (a: JournalTask, b: JournalTask) => a.changedMs - b.changedMs || a.id.localeCompare(b.id);
