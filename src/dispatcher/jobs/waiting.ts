import type { Queryable } from '../../lib/conn.ts';
import { getDriven, waitsForUs } from '../store/driving.ts';
import { getFreeze } from '../store/freeze.ts';
import type { JobRow, WaveCount } from '../store/jobs.ts';
import { gateOf } from '../windows.ts';
import { planJob, type Waiting } from './plan.ts';
import { lookAt } from './step.ts';

export type WaitingFor = { what: Waiting['what']; until: Date | null; text: string };

const UNDER_WAY = new Set(['queued', 'accepted', 'running', 'cancelling']);

/** Why nothing moves; null while something does, when the job has ended, or when it is paused, which has its own reason. */
export async function waitingFor(
  db: Queryable,
  job: JobRow,
  counts: WaveCount[],
  patienceMs: number,
): Promise<WaitingFor | null> {
  if (job.state !== 'running') return null;
  const pending = sum(counts.filter((one) => one.state === 'pending'));
  const freeze = pending > 0 && job.type !== 'ping' ? await getFreeze(db) : undefined;
  if (freeze) {
    const text = `mega unfreeze: all is frozen by ${freeze.by}: ${freeze.reason}`;
    return { what: 'frozen', until: null, text };
  }
  if (sum(counts.filter((one) => UNDER_WAY.has(one.state))) > 0) return null;
  const driven = await getDriven(db, job.id);
  if (!driven) return pending === 0 || (await waitsForUs(db, job.id)) ? null : hosts(pending, job.deadlineAt);
  const { waitingFor: found } = planJob(await lookAt(db, driven, await gateOf(db, driven), patienceMs));
  return found && told(found, driven.wave, counts);
}

const sum = (counts: WaveCount[]) => counts.reduce((all, one) => all + one.n, 0);
const at = (ms: number | null) => (ms === null ? null : new Date(ms));

function told({ what, until }: Waiting, wave: number, counts: WaveCount[]): WaitingFor {
  if (what === 'hosts') {
    return hosts(sum(counts.filter((one) => one.state === 'pending' && one.wave <= wave)), at(until));
  }
  const text = {
    approval: `approval of wave ${wave + 1}`,
    pause: `the pause after wave ${wave}`,
    frozen: 'mega unfreeze: all is frozen',
    window: 'a maintenance window to open',
  }[what];
  return { what, until: at(until), text };
}

function hosts(count: number, until: Date | null): WaitingFor {
  const text = count === 1 ? 'one host that is away' : `${count} hosts that are away`;
  return { what: 'hosts', until, text };
}
