import type { Queryable } from '../lib/conn.ts';
import type { Answer, Event, Parked, Progress, Result } from '../lib/messages.ts';
import type { Context } from './context.ts';
import { endJobs } from './jobs/ended.ts';
import { parkBody } from './park.ts';
import { quarantineDue, wentBack } from './quarantine.ts';
import { setFacts } from './store/facts.ts';
import { reopenJobs } from './store/jobs.ts';
import { addRollbacks, type Rollback } from './store/quarantine.ts';
import { addEvents, applyChanges, type LockedTask, lockTasks, type TaskChange } from './store/tasks.ts';
import { advance } from './tasks.ts';

type Said = Event | Result;
const is =
  <K extends Said['kind']>(kind: K) =>
  (one: Said): one is Extract<Said, { kind: K }> =>
    one.kind === kind;

/** Records one batch in one transaction; recording it again changes nothing. */
export async function record(context: Context, batch: Said[]): Promise<void> {
  const { driver, logger } = context;
  const about = batch.filter(
    (one): one is Progress | Result => one.kind === 'progress' || one.kind === 'result',
  );
  const touched = await context.db.transaction((db) => recordTasks(db, about));
  // Before anything more of it starts.
  if (about.some(wentBack)) await quarantineDue(context);
  driver.noteEnds(touched);
  const own = touched.filter((job) => !driver.isDriven(job));
  // In a transaction, since that is tried again after a deadlock.
  if (own.length > 0) await context.db.transaction((db) => endJobs({ db, logger }, own));
  context.endings.tell(touched);
  for (const one of batch.filter(is('parked'))) await parkForHost(context, one);
  for (const one of batch.filter(is('answer'))) noteAnswer(context, one);
}

/** The jobs that a task's end may have ended. */
async function recordTasks(db: Queryable, about: (Progress | Result)[]): Promise<string[]> {
  const locked = await lockTasks(db, [...new Set(about.map((one) => one.task))]);
  const rows = new Map(locked.map((row) => [row.id, row]));
  const own = about.filter((said) => rows.get(said.task)?.host === said.host);
  const now = locked[0]?.now;
  if (!now || own.length === 0) return [];
  await addEvents(db, own, now);
  const changes: TaskChange[][] = [];
  const ended = new Set<string>();
  for (const [task, words] of Map.groupBy(own, (one) => one.task)) {
    const all = changesOf(rows.get(task)!, words);
    for (const [round, change] of all.entries()) {
      if (changes[round]) changes[round].push(change);
      else changes[round] = [change];
    }
    if (all.some((one) => one.result)) ended.add(rows.get(task)!.job);
  }
  // A statement takes each task once: first all first changes, then all second ones.
  for (const round of changes) await applyChanges(db, round);
  const all = changes.flat();
  await rememberFacts(db, all, rows);
  await addRollbacks(
    db,
    all.flatMap((one) => rollbackIn(one, rows.get(one.id)!)),
    now,
  );
  const late = all.filter((one) => one.late).map((one) => rows.get(one.id)!.job);
  if (late.length > 0) await reopenJobs(db, late);
  return [...ended];
}

/** What hosts have answered of themselves is kept with them. */
async function rememberFacts(
  db: Queryable,
  changes: TaskChange[],
  rows: ReadonlyMap<string, LockedTask>,
): Promise<void> {
  for (const { id, result } of changes) {
    const { type, host } = rows.get(id)!;
    if (type === 'facts' && result?.state === 'succeeded') await setFacts(db, host, result.output ?? {});
  }
}

/** A result that was recorded before, or comes too late to be believed, is no change. */
function rollbackIn({ result, reason }: TaskChange, { type, host, args }: LockedTask): Rollback[] {
  if (type !== 'client_upgrade' || !result || !wentBack(result)) return [];
  return [{ version: String(args.to), host, reason }];
}

function changesOf(row: LockedTask, said: (Progress | Result)[]): TaskChange[] {
  let now = row;
  return said
    .toSorted((a, b) => a.seq - b.seq)
    .flatMap((word) => {
      const change = advance(now, word);
      if (!change) return [];
      now = { ...now, state: change.state, seq: change.seq };
      return [{ ...change, id: row.id }];
    });
}

async function parkForHost(context: Context, one: Parked): Promise<void> {
  const body = Buffer.from(one.body, 'base64');
  const reason = `in the queue of ${one.host}: ${one.reason}`;
  await parkBody(context, body, { reason, sender: one.sender, type: 'order' });
}

function noteAnswer(context: Context, one: Answer): void {
  context.logger.info({ host: one.host, task: one.task, version: one.proof.version }, 'a probe was answered');
}
