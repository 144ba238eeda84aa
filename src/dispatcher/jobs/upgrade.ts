import type { Queryable } from '../../lib/conn.ts';
import { InputError } from '../../lib/errors.ts';
import type { Limits } from '../../lib/limits.ts';
import type { Trial, UpgradeArgs } from '../../lib/messages.ts';
import { compareVersions, uuidv7 } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import { requireReleased } from '../quarantine.ts';
import { allHosts, type HostRow } from '../store/hosts.ts';
import { hostsMoving } from '../store/jobs.ts';
import type { PackageRow, ReleaseRow } from '../store/packages.ts';
import { selectHosts } from '../targets.ts';
import { requireMinimum } from '../trust/signed.ts';
import { aboutRelease, publishedNow, wantedRelease } from './releases.ts';
import { type Asked, isThere, type JobPlan, type Planned, startJob } from './start.ts';

export type UpgradeRequest = {
  to?: string | undefined;
  on: string[];
  trial: Trial;
  downgrade: boolean;
  limits?: Limits | undefined;
};

/** Makes an upgrade job. Without `to`: to the newest version. */
export async function startUpgrade(context: Context, request: UpgradeRequest, asked: Asked): Promise<string> {
  return startJob(context, await planOf(context, request), asked);
}

type UpgradePlan = JobPlan & { args: { to: string } };

/** All that an upgrade would do, of which nothing is done yet. Error: also whatever makes it impossible. */
export async function planOf(context: Context, request: UpgradeRequest): Promise<UpgradePlan> {
  const { db } = context;
  const { on, trial, downgrade } = request;
  const published = await publishedNow(context);
  const wanted = wantedRelease(published, request.to);
  requireMinimum(published.targets, wanted.name);
  await requireReleased(db, wanted.name);
  const hosts = selectHosts(await allHosts(db), on);
  if (!downgrade) requireForward(hosts, wanted.name);
  const tasks = planUpgrade(hosts, await hostsMoving(db), wanted, published.signed, { trial, downgrade });
  // Longer than a fleet waits for its turns to download, and than any trial with its three arbitrations: the host's own
  // verdict is to come first.
  const timeoutMs = 2 * 3_600_000 + 4 * trial.seconds * 1000;
  const args = { to: wanted.name, trial, ...(downgrade ? { downgrade } : {}) };
  const limits = carefully(request.limits, hosts.length);
  const stillFree = (tx: Queryable) => requireReleased(tx, wanted.name);
  return { type: 'client_upgrade', args, on, tasks, timeoutMs, limits, check: stillFree };
}

const FEW_HOSTS = 10;
const CAREFUL = { waves: [1, '10%', '100%'], maxErrors: '10%' } satisfies Partial<Limits>;

/**
 * Nobody upgrades a fleet at once by having forgotten an option: whoever names no waves gets these, one host first, and
 * the job pauses when a tenth of a wave goes wrong. `--waves 100%` is all at once. Pure.
 */
export function carefully(limits: Limits | undefined, hosts: number): Limits | undefined {
  if (hosts <= FEW_HOSTS || limits?.waves !== undefined) return limits;
  const { retryAfterMs = 60_000, ...said } = limits ?? {};
  return { ...CAREFUL, retryAfterMs, ...said };
}

/**
 * Who gets the version, and who need not: pure. `published` are all signed packages, of which the order names the runtimes
 * that the release needs. What a host in `moving` will run is not known yet, since an upgrade of
 * it is open: the later order must win, so it is neither skipped nor bound to the version of now.
 */
export function planUpgrade(
  hosts: HostRow[],
  moving: Set<string>,
  to: ReleaseRow,
  published: PackageRow[],
  how: Pick<UpgradeArgs, 'trial' | 'downgrade'>,
): Planned[] {
  const about = { ...aboutRelease(to, published), ...how };
  return hosts.map((host) => {
    const there = host.version === to.name && !moving.has(host.id);
    const expect = moving.has(host.id) ? null : host.version;
    return {
      id: uuidv7(),
      host: host.id,
      online: isThere(host),
      args: { ...about, expect } satisfies UpgradeArgs,
      state: there ? 'skipped' : 'pending',
      reason: there ? `runs ${to.name} already` : null,
      fromVersion: host.version,
    };
  });
}

/** Pure. Error: `downgrade`. */
function requireForward(hosts: HostRow[], to: string): void {
  const newer = hosts.filter(({ version }) => version !== null && compareVersions(version, to) > 0);
  const [first] = newer;
  if (!first) return;
  const count = newer.length === 1 ? 'one host runs' : `${newer.length} hosts run`;
  throw new InputError(
    'downgrade',
    `${count} a newer version than ${to}, such as ${first.id} with ${first.version}: to take them back, ask for it (mega upgrade --allow-downgrade)`,
  );
}
