import { minimumIn } from '../lib/trust/targets.ts';
import { compareVersions, uuidv7 } from '../lib/utils.ts';
import type { Context } from './context.ts';
import { aboutRelease, type Published, publishedNow, releaseIn } from './jobs/releases.ts';
import {
  addCatchUp,
  type Behind,
  hostsToLookAt,
  lastOfFleet,
  lockBehind,
  lookAtHosts,
  lookedAt,
  type UpgradeJob,
} from './store/catchup.ts';
import { lockJob, openJob } from './store/controls.ts';
import { quarantineOf } from './store/quarantine.ts';
import { isOpen, type TaskState } from './tasks.ts';

/**
 * A host is to run what the last upgrade says that named it; one that no upgrade has named, what the last one of `all`
 * says. When it is there and runs something else, since it was away past the deadline, joined later, or was restored
 * from an older state, it gets another task in that very job, within its limits.
 *
 * INVARIANTS
 * - Nobody is sent what went wrong: an upgrade that ended on the host itself, badly or by an operator, is no wish.
 * - Of two dispatchers one makes the task: it holds the host's row, and looks again whether the last word is the same.
 * - A host is looked at when its task expired, or when it said hello with another version than we knew; the latter is
 *   left to settle first, since a hello of a process that is gone may come late.
 */
const HOSTS_A_ROUND = 200;
/** What stands in the way now (a pause, a hold, a quarantine) is looked at again so often. */
const LATER_MS = 60_000;

const AWAY: readonly TaskState[] = ['expired', 'undeliverable'];
const WENT_WELL: readonly TaskState[] = ['succeeded', 'skipped'];
const UNDER_WAY_OR_ENDED = ['running', 'succeeded', 'partial', 'failed'];

/** May hosts get a version: yes; not now; or never again, since it is gone or below the signed minimum. */
export type Standing = 'free' | 'quarantined' | 'gone';
export type Wish = { job: UpgradeJob; instead: string | undefined };
export type Decision = Wish | 'later' | 'nothing';

/** What is to be done about a host, by what is known of it and of the last upgrade of the whole fleet. Pure. */
export function decide(
  host: Behind,
  fleet: UpgradeJob | undefined,
  standing: (version: string) => Standing,
): Decision {
  const wish = wishOf(host, fleet);
  const isMoving = host.last !== null && isOpen(host.last.state);
  if (!wish || isMoving || !isBehind(host, wish)) return 'nothing';
  const { state, args } = wish.job;
  const now = standing(args.to);
  if (now === 'gone' || state === 'cancelled' || state === 'cancelling') return 'nothing';
  if (now === 'quarantined' || host.held || !UNDER_WAY_OR_ENDED.includes(state)) return 'later';
  return wish;
}

/** Ids of jobs sort by the time of their making. */
function wishOf({ last }: Behind, fleet: UpgradeJob | undefined): Wish | undefined {
  if (!last || (fleet && fleet.id > last.job.id)) return fleet && { job: fleet, instead: undefined };
  if (![...AWAY, ...WENT_WELL].includes(last.state)) return undefined;
  return { job: last.job, instead: last.task };
}

/** Only who was away when it was asked to go back goes back. */
function isBehind({ version, last }: Behind, { job, instead }: Wish): boolean {
  if (version === null) return false;
  const ahead = compareVersions(version, job.args.to);
  const wasAway = instead !== undefined && last !== null && AWAY.includes(last.state);
  return ahead < 0 || (ahead > 0 && wasAway && job.args.downgrade === true);
}

export async function catchUp(context: Context): Promise<void> {
  const { db, driver } = context;
  const hosts = await hostsToLookAt(db, HOSTS_A_ROUND);
  if (hosts.length === 0) return;
  const published = await publishedNow(context);
  const fleet = await lastOfFleet(db);
  const all = hosts.map((host) => ({
    host,
    decision: decide(host, fleet, (to) => standingOf(published, to)),
  }));
  const of = (decision: Decision) => all.filter((one) => one.decision === decision).map((one) => one.host);
  await lookedAt(db, of('nothing'));
  const later = of('later').map((host) => host.id);
  for (const { host, decision } of all) {
    if (typeof decision === 'string') continue;
    if (await makeUpFor(context, host, decision, published)) driver.note(decision.job.id);
    else later.push(host.id);
  }
  await lookAtHosts(db, later, LATER_MS);
}

function standingOf(published: Published, version: string): Standing {
  const { targets } = published;
  const found = releaseIn(published, version);
  const minimum = minimumIn(targets);
  if (!found || (minimum !== undefined && compareVersions(version, minimum) < 0)) return 'gone';
  return found.quarantinedAt ? 'quarantined' : 'free';
}

/** False when something else came first. */
async function makeUpFor(
  { db, logger }: Context,
  host: Behind,
  { job, instead }: Wish,
  published: Published,
): Promise<boolean> {
  const { to, trial, downgrade = false } = job.args;
  const fromVersion = host.version!;
  const args = {
    ...aboutRelease(releaseIn(published, to)!, published.signed),
    trial,
    downgrade,
    expect: fromVersion,
  };
  const task = { id: uuidv7(), job: job.id, host: host.id, fromVersion, args, instead };
  const made = await db.transaction(async (tx) => {
    if (!(await lockBehind(tx, host)) || (await quarantineOf(tx, to))) return false;
    const now = await lockJob(tx, job.id);
    if (!now || !UNDER_WAY_OR_ENDED.includes(now.state)) return false;
    const { driven, deadlineMs } = now;
    if (!(await addCatchUp(tx, { ...task, ready: !driven, deadlineMs }))) return false;
    if (now.state !== 'running') await openJob(tx, job.id, deadlineMs);
    return true;
  });
  if (made) logger.info({ host: host.id, job: job.id, task: task.id, to }, 'a host is to catch up');
  return made;
}
