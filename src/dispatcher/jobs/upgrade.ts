import { InputError } from '../../lib/errors.ts';
import type { Limits } from '../../lib/limits.ts';
import type { Trial, UpgradeArgs } from '../../lib/messages.ts';
import { compareVersions, uuidv7 } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import { allHosts, type HostRow } from '../store/hosts.ts';
import { hostsMoving } from '../store/jobs.ts';
import { listPackages, type PackageRow, type ReleaseRow } from '../store/packages.ts';
import { selectHosts } from '../targets.ts';
import { isSigned, requireMinimum } from '../trust/signed.ts';
import { type Asked, isThere, type Planned, startJob } from './start.ts';

export type UpgradeRequest = {
  to?: string | undefined;
  on: string[];
  trial: Trial;
  downgrade: boolean;
  limits?: Limits | undefined;
};

/** Makes an upgrade job. Without `to`: to the newest version. */
export async function startUpgrade(context: Context, request: UpgradeRequest, asked: Asked): Promise<string> {
  const { db } = context;
  const { on, trial, downgrade } = request;
  const targets = await context.metadata.signed();
  const uploaded = (await listPackages(db)).filter((one) => one.state === 'ready');
  const published = uploaded.filter((one) => isSigned(targets, one));
  const wanted = wantedRelease(published, uploaded, request.to);
  requireMinimum(targets, wanted.name);
  const hosts = selectHosts(await allHosts(db), on);
  if (!downgrade) requireForward(hosts, wanted.name);
  const tasks = planUpgrade(hosts, await hostsMoving(db), wanted, published, { trial, downgrade });
  // Longer than a fleet waits for its turns to download, and than any trial with its three arbitrations: the host's own
  // verdict is to come first.
  const timeoutMs = 2 * 3_600_000 + 4 * trial.seconds * 1000;
  const args = { to: wanted.name, trial, ...(downgrade ? { downgrade } : {}) };
  const limits = carefully(request.limits, hosts.length);
  return startJob(context, { type: 'client_upgrade', args, on, tasks, timeoutMs, limits }, asked);
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
 * The packages of the runtime that a release runs on, by platform. That there is none is no error: hosts may have
 * it, and one that does not says so.
 */
function runtimesOf(to: ReleaseRow, published: PackageRow[]): UpgradeArgs['runtimes'] {
  const fit = published
    .filter((one) => one.kind === 'runtime')
    .filter((one) => one.manifest.runtime === to.manifest.runtime);
  return Object.fromEntries(fit.map(({ manifest, sha256, size }) => [manifest.platform, { sha256, size }]));
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
  const { platforms, runtime } = to.manifest;
  const runtimes = runtimesOf(to, published);
  const about = { to: to.name, sha256: to.sha256, size: to.size, platforms, runtime, runtimes, ...how };
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

function wantedRelease(published: PackageRow[], uploaded: PackageRow[], version?: string): ReleaseRow {
  const releases = published.filter((one) => one.kind === 'release');
  const final = releases.filter((one) => !one.name.includes('-')); // a pre-release is taken only by its name
  const newest = final.toSorted((a, b) => compareVersions(b.name, a.name))[0];
  const found = version === undefined ? newest : releases.find((one) => one.name === version);
  if (found) return found;
  if (uploaded.some((one) => one.kind === 'release' && one.name === version)) {
    throw new InputError(
      'not_signed',
      `version ${version} is uploaded, but not signed: whoever holds the targets key runs mega package publish`,
    );
  }
  const what = version === undefined ? 'no version is' : `version ${version} is not`;
  throw new InputError('unknown_version', `${what} published; mega package list shows what is`);
}
