import type { Queryable } from '../lib/conn.ts';
import { InputError } from '../lib/errors.ts';
import type { Progress, Result } from '../lib/messages.ts';
import { raiseAlert } from './alerts/raise.ts';
import type { Context } from './context.ts';
import { pauseLocked } from './jobs/pause.ts';
import { lockJob } from './store/controls.ts';
import { lockPackage, type PackageRow } from './store/packages.ts';
import {
  endQuarantine,
  type Quarantine,
  quarantineOf,
  quarantineOfJob,
  type Rollback,
  rollbacksOf,
  setQuarantine,
  upgradesTo,
  versionsPast,
} from './store/quarantine.ts';
import { BACK_PHASES } from './tasks.ts';

/**
 * A version that hosts go back from is stopped for the whole fleet, until somebody releases it.
 *
 * INVARIANTS
 * - A host counts once per version, in the transaction that records its result (`record.ts`). What follows from the
 *   count is a transaction of its own, which any dispatcher catches up on (`expire.ts`): one that dies in between leaves
 *   nothing undone.
 * - Whoever quarantines, releases or orders holds the package's row. So an upgrade is either seen and paused by the
 *   quarantine, or sees it and is refused.
 * - From the commit on no order to the version is claimed (`NOT_QUARANTINED` in store/due.ts), whatever becomes of its
 *   job. What hosts have taken before goes on: each is on trial, and goes back by itself.
 */
const NAMED = 3;

/** Whether a host says that it went back, or had to and could not. */
export function wentBack(said: Pick<Progress | Result, 'kind' | 'phase'>): boolean {
  return said.kind === 'result' && (BACK_PHASES as readonly (string | undefined)[]).includes(said.phase);
}

/** Quarantines what more hosts went back from than may. */
export async function quarantineDue(context: Context): Promise<void> {
  const { db, config, logger } = context;
  for (const version of await versionsPast(db, config.quarantineAfter)) {
    const reason = await db.transaction(async (tx) => {
      const row = await lockPackage(tx, version);
      const hosts = await rollbacksOf(tx, version);
      // Another dispatcher was faster, or somebody released it meanwhile.
      if (!row || row.quarantinedAt || hosts.length <= config.quarantineAfter) return undefined;
      const why = reasonOf(hosts);
      await quarantine(context, tx, version, why);
      return why;
    });
    if (reason !== undefined) logger.error({ version, reason }, 'a version is quarantined');
  }
}

/** By hand. One that is in quarantine stays so, for the reason that it has. Error: `unknown_package`. */
export async function quarantineByHand(context: Context, version: string, by: string, reason: string) {
  return context.db.transaction(async (tx) => {
    const row = await lockRelease(tx, version);
    if (row.quarantineReason !== null) return { reason: row.quarantineReason, paused: [] };
    const why = `by ${by}: ${reason}`;
    return { reason: why, paused: await quarantine(context, tx, version, why) };
  });
}

/** Jobs that it had paused stay so, until somebody resumes them. Error: `unknown_package`. */
export async function releaseVersion({ db }: Context, version: string) {
  return db.transaction(async (tx) => {
    const row = await lockRelease(tx, version);
    if (!row.quarantinedAt) return { released: false, paused: [] };
    await endQuarantine(tx, version);
    return { released: true, paused: await upgradesTo(tx, version, ['paused']) };
  });
}

/** In the transaction that makes a job, or lets one go on. Error: `quarantined`. */
export async function requireReleased(db: Queryable, version: string): Promise<void> {
  const found = await quarantineOf(db, version);
  if (found) throw quarantined(version, found);
}

/** The same for the version of a job. */
export async function requireJobReleased(db: Queryable, job: string): Promise<void> {
  const found = await quarantineOfJob(db, job);
  if (found) throw quarantined(found.version, found);
}

function quarantined(version: string, { since, reason }: Quarantine): InputError {
  const when = since.toISOString().slice(0, 19).replace('T', ' ');
  const remedy = `order another version, or release this one: mega package release ${version}`;
  return new InputError('quarantined', `${version} is in quarantine since ${when} UTC: ${reason}; ${remedy}`);
}

/** The jobs that it pauses. The caller holds the package's row. */
async function quarantine(
  context: Context,
  tx: Queryable,
  version: string,
  reason: string,
): Promise<string[]> {
  await setQuarantine(tx, version, reason);
  const paused: string[] = [];
  for (const id of await upgradesTo(tx, version, ['running'])) {
    const job = await lockJob(tx, id);
    if (job?.state !== 'running') continue;
    await pauseLocked(context, tx, job, `${version} is in quarantine: ${reason}`);
    paused.push(id);
  }
  const text = `${version} is in quarantine: ${reason}; no host is sent to it until mega package release ${version}`;
  await raiseAlert(tx, { kind: 'quarantined', about: version, text });
  return paused;
}

async function lockRelease(tx: Queryable, version: string): Promise<PackageRow> {
  const row = await lockPackage(tx, version);
  if (row?.kind === 'release') return row;
  const what = row ? `${version} is a runtime: quarantine the releases that run on it` : undefined;
  throw new InputError('unknown_package', what ?? `no release ${version}; mega package list shows all`);
}

function reasonOf(hosts: Rollback[]): string {
  const named = hosts.slice(0, NAMED).map((one) => one.host);
  const more = hosts.length > NAMED ? ` and ${hosts.length - NAMED} more` : '';
  const last = hosts.at(-1)?.reason;
  const count = hosts.length === 1 ? 'one host' : `${hosts.length} hosts`;
  return `it was rolled back on ${count} (${named.join(', ')}${more})${last ? `; the last: ${last}` : ''}`;
}
