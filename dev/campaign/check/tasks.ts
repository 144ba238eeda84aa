import type { Evidence, JournalTask, TaskRow } from '../evidence.ts';
import type { Violation } from '../violation.ts';

const OPEN = ['pending', 'queued', 'accepted', 'running', 'cancelling'];
/** Ends that need no word of the host. */
const WITHOUT_HOST = ['expired', 'undeliverable', 'lost', 'cancelled', 'skipped'];
/** What has an effect is in the journal before it has it; a ping needs none. */
const ANSWERED_ONLY = ['ping'];

const about = (rule: Violation['rule'], row: { host: string; id: string }) => (evidence: string) => {
  return { rule, host: row.host, task: row.id, evidence } satisfies Violation;
};

/** Each task has one end, and the database and the host's journal name the same (I1). */
export function checkEnds({ tasks, hosts }: Evidence): Violation[] {
  const journals = new Map(hosts.map(({ host, journal }) => [host, journal]));
  const known = new Set(tasks.map((row) => `${row.host} ${row.id}`));
  const found = tasks.flatMap((row) => {
    const kept = journals.get(row.host)?.tasks.find((one) => one.id === row.id);
    const faults = [...endFaults(row), ...(kept ? faultsAgainst(row, kept) : faultsUnheard(row))];
    return faults.map(about('one end', row));
  });
  for (const [host, { tasks: kept }] of journals) {
    const strange = kept.filter(({ id }) => !known.has(`${host} ${id}`));
    for (const { id } of strange)
      found.push(about('one end', { host, id })('the database knows no such task'));
  }
  return found;
}

function endFaults(row: TaskRow): string[] {
  const { state, result, finished } = row;
  if (OPEN.includes(state)) return [`is still ${state}`];
  const faults = finished ? [] : [`is ${state} without a time of its end`];
  if (result && result.state !== state)
    faults.push(`is ${state} (${row.reason}), though the result says ${result.state}`);
  if (!result && !WITHOUT_HOST.includes(state)) faults.push(`is ${state} without a result`);
  return faults;
}

function faultsAgainst(row: TaskRow, kept: JournalTask): string[] {
  const { last } = kept;
  if (kept.state !== 'ended' || !last)
    return [`is ${row.state}, and the journal says ${kept.state} ${kept.phase}`];
  const inBase = [row.state, row.phase ?? '', row.seq, row.result?.running ?? ''].join(' ');
  const inJournal = [last.state, last.phase ?? '', kept.seq, last.running ?? ''].join(' ');
  if (inBase === inJournal) return [];
  return [`the database says "${inBase}" (${row.reason}), the journal "${inJournal}"`];
}

/** The journal does not know it, so it must not have happened. */
function faultsUnheard(row: TaskRow): string[] {
  if (ANSWERED_ONLY.includes(row.type)) return [];
  if (row.seq === 0 && row.events.length === 0 && !row.result) return [];
  return [`is ${row.state} with ${row.events.length} words of its host, and its journal does not know it`];
}

/** What a host says is numbered without a gap, its end is said once and last, and none of it is lost (I1). */
export function checkWords({ tasks }: Evidence): Violation[] {
  return tasks.flatMap((row) => wordFaults(row).map(about('all words', row)));
}

function wordFaults(row: TaskRow): string[] {
  const { events } = row;
  const seqs = events.map((one) => one.seq).sort((a, b) => a - b);
  const faults: string[] = [];
  if (new Set(seqs).size < seqs.length) faults.push(`a word was recorded twice: ${seqs.join(' ')}`);
  const most = seqs.at(-1) ?? 0;
  if (most !== row.seq) faults.push(`the last word is ${most}, the task stands at ${row.seq}`);
  const last = events.find((one) => one.seq === most);
  // An end that comes before anybody was told of the beginning is sent alone.
  const alone = most <= 3 && last?.phase === null && !isProgress(last.state);
  const gaps = Array.from({ length: most }, (_, i) => i + 1).filter((seq) => !seqs.includes(seq));
  if (gaps.length > 0 && !(alone && gaps.every((seq) => seq < most)))
    faults.push(`words ${gaps.join(' ')} of ${most} are missing`);
  const ends = events.filter((one) => !isProgress(one.state));
  if (ends.length > 1) faults.push(`has ${ends.length} ends: ${ends.map((one) => one.state).join(', ')}`);
  if (ends[0] && ends[0].seq !== most) faults.push(`was spoken of after its end: ${ends[0].seq} of ${most}`);
  return faults;
}

const isProgress = (state: string) => state === 'accepted' || state === 'running';

/** A job's end is that of its tasks. */
export function checkJobs({ jobs, tasks }: Evidence): Violation[] {
  const of = Map.groupBy(tasks, (row) => row.job);
  return jobs.flatMap(({ id, state }) => {
    const states = (of.get(id) ?? []).map((row) => row.state);
    const due = jobState(states);
    if (state === due || states.length === 0) return [];
    return [
      {
        rule: 'job' as const,
        host: '',
        task: id,
        evidence: `is ${state}, should be ${due}: ${states.join(' ')}`,
      },
    ];
  });
}

function jobState(states: string[]): string {
  const are = (...names: string[]) => states.every((one) => names.includes(one));
  if (states.some((one) => OPEN.includes(one))) return 'running';
  if (are('succeeded', 'skipped')) return 'succeeded';
  if (are('cancelled', 'skipped')) return 'cancelled';
  return states.includes('succeeded') ? 'partial' : 'failed';
}
