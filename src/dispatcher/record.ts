import type { Queryable } from '../lib/conn.ts';
import type { Answer, Event, Heartbeat, Parked, Progress, Result } from '../lib/messages.ts';
import type { Context } from './context.ts';
import { parkBody } from './park.ts';
import { markSeen, setVersion } from './store/hosts.ts';
import { finishJobs, reopenJobs } from './store/jobs.ts';
import { addEvents, applyChange, lockTasks } from './store/tasks.ts';
import { advance } from './tasks.ts';

type Said = Event | Result;
const is =
  <K extends Said['kind']>(kind: K) =>
  (one: Said): one is Extract<Said, { kind: K }> =>
    one.kind === kind;

/** Records one batch in one transaction; recording it again changes nothing. */
export async function record(context: Context, batch: Said[]): Promise<void> {
  const about = batch.filter(
    (one): one is Progress | Result => one.kind === 'progress' || one.kind === 'result',
  );
  const touched = await context.db.transaction(async (db) => {
    await markSeen(db, latest(batch.filter(is('heartbeat'))));
    return recordTasks(db, about);
  });
  // In a transaction, since that is tried again after a deadlock.
  if (touched.length > 0) await context.db.transaction((db) => finishJobs(db, touched));
  for (const one of batch.filter(is('parked'))) await parkForHost(context, one);
  for (const one of batch.filter(is('answer'))) noteAnswer(context, one);
}

/** The jobs that a task's end may have ended. */
async function recordTasks(db: Queryable, about: (Progress | Result)[]): Promise<string[]> {
  const rows = new Map(
    (await lockTasks(db, [...new Set(about.map((one) => one.task))])).map((row) => [row.id, row]),
  );
  const own = about.filter((said) => rows.get(said.task)?.host === said.host);
  await addEvents(db, own);
  const ended = new Set<string>();
  for (const said of own.toSorted((a, b) => a.seq - b.seq)) {
    const row = rows.get(said.task);
    const change = row && advance(row, said);
    if (!row || !change) continue;
    await applyChange(db, row.id, change);
    rows.set(row.id, { ...row, state: change.state, seq: change.seq });
    if (!change.result) continue;
    await setVersion(db, said.host, change.result.running);
    if (change.late) await reopenJobs(db, [row.job]);
    ended.add(row.job);
  }
  return [...ended];
}

/** The newest heartbeat of each host. */
function latest(beats: Heartbeat[]): Heartbeat[] {
  return [...new Map(beats.map((one) => [one.host, one])).values()];
}

async function parkForHost(context: Context, one: Parked): Promise<void> {
  const body = Buffer.from(one.body, 'base64');
  const reason = `in the queue of ${one.host}: ${one.reason}`;
  await parkBody(context, body, { reason, sender: one.sender, type: 'order' });
}

function noteAnswer(context: Context, one: Answer): void {
  context.logger.info({ host: one.host, task: one.task, version: one.proof.version }, 'a probe was answered');
}
