import { InputError } from '../lib/errors.ts';
import type { Limits } from '../lib/limits.ts';
import type { Trial, UpgradeArgs } from '../lib/messages.ts';
import { compareVersions, uuidv7 } from '../lib/utils.ts';
import type { Context } from './context.ts';
import { allHosts, type HostRow } from './store/hosts.ts';
import { addJob, hostsMoving, type NewTask } from './store/jobs.ts';
import { listPackages, type PackageRow, type ReleaseRow } from './store/packages.ts';
import { isSigned, requireMinimum } from './trust/signed.ts';

export type Asked = { by: string; key: string };

const PING_TIMEOUT_MS = 10_000;
const ROTATION_TIMEOUT_MS = 60_000;

/** The hosts that a target means: `all`, a name, `*` in names, or several of these; unknown names are an error. */
export function selectHosts<T extends { id: string }>(hosts: T[], on: string[]): T[] {
  const meant = new Set<string>();
  for (const target of on) {
    const found = hosts.filter((host) => target === 'all' || matches(host.id, target));
    if (found.length === 0 && target !== 'all') {
      const what = target.includes('*') ? 'no host matches' : 'no host is called';
      throw new InputError('unknown_host', `${what} "${target}"; mega host list shows all`);
    }
    for (const host of found) meant.add(host.id);
  }
  return hosts.filter((host) => meant.has(host.id));
}

function matches(id: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[^a-z0-9-]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(id);
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
): NewTask[] {
  const { platforms, runtime } = to.manifest;
  const runtimes = runtimesOf(to, published);
  const about = { to: to.name, sha256: to.sha256, size: to.size, platforms, runtime, runtimes, ...how };
  return hosts.map((host) => {
    const there = host.version === to.name && !moving.has(host.id);
    const expect = moving.has(host.id) ? null : host.version;
    return {
      id: uuidv7(),
      host: host.id,
      args: { ...about, expect } satisfies UpgradeArgs,
      state: there ? 'skipped' : 'pending',
      reason: there ? `runs ${to.name} already` : null,
      fromVersion: host.version,
    };
  });
}

export type UpgradeRequest = { to?: string | undefined; on: string[]; trial: Trial; downgrade: boolean };

/** Makes an upgrade job; the same call asked again finds the same job. Without `to`: to the newest version. */
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
  return start(context, { type: 'client_upgrade', args, tasks, timeoutMs }, on, asked);
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

export async function startPing(context: Context, on: string[], asked: Asked): Promise<string> {
  const times = { timeoutMs: PING_TIMEOUT_MS, deadlineMs: PING_TIMEOUT_MS };
  return startAlike(context, { type: 'ping', args: {}, on, ...times }, asked);
}

/** Hosts make a new secret, those that are away when they come back. */
export async function startRotation(context: Context, on: string[], asked: Asked): Promise<string> {
  return startAlike(context, { type: 'rotate_secret', args: {}, on, timeoutMs: ROTATION_TIMEOUT_MS }, asked);
}

export type AlikeJob = {
  type: string;
  args: object;
  on: string[];
  limits?: Limits | undefined;
  timeoutMs: number;
  deadlineMs?: number;
};

/** A job whose tasks all have the same arguments. */
export async function startAlike(context: Context, job: AlikeJob, asked: Asked): Promise<string> {
  const { type, args, on, limits } = job;
  const hosts = selectHosts(await allHosts(context.db), on);
  const tasks = hosts.map(({ id: host, version: fromVersion }): NewTask => {
    return { id: uuidv7(), host, args, state: 'pending', reason: null, fromVersion };
  });
  const timeoutMs = limits?.timeoutMs ?? job.timeoutMs;
  const deadlineMs = limits?.deadlineMs ?? job.deadlineMs ?? context.config.taskDeadlineMs;
  return start(context, { type, args, tasks, timeoutMs, deadlineMs }, on, asked);
}

type Plan = { type: string; args: object; tasks: NewTask[]; timeoutMs: number; deadlineMs?: number };

async function start(context: Context, plan: Plan, on: string[], { by, key }: Asked): Promise<string> {
  const { db, config } = context;
  const job = {
    ...plan,
    id: uuidv7(),
    target: on.join(' '),
    by,
    callKey: `${by}:${key}`,
    deadlineMs: plan.deadlineMs ?? config.taskDeadlineMs,
  };
  return db.transaction((tx) => addJob(tx, job));
}
