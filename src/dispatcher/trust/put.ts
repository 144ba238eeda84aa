import type { Conn, Queryable } from '../../lib/conn.ts';
import { InputError, MegaError } from '../../lib/errors.ts';
import { packageName } from '../../lib/home.ts';
import {
  aboutOf,
  MAX_BYTES,
  type Target,
  targetsOf,
  verifyRoot,
  verifySigned,
} from '../../lib/trust/metadata.ts';
import { minimumIn, orderKeysIn, packageIn, packagePath } from '../../lib/trust/targets.ts';
import { listPackages } from '../store/packages.ts';
import { addMetadata, getMetadata, lockMetadata, newestMetadata, type Stored } from '../store/trust.ts';
import { type OnlineSigner, renewOnline } from './online.ts';

/** What the offline keys have signed: roots in order, those that are known already may be among them, and targets. */
export type Signed = {
  roots: string[];
  targets?: string | undefined;
  /** The version of the targets that the signer saw here; 0 for none. */
  replaces: number;
};

/**
 * Takes over what was signed offline, all of it or nothing, and signs snapshot and timestamp to match. The same again
 * changes nothing. Errors: `bad_metadata`, `metadata_expired`, `unknown_package`, `wrong_online_key`, and
 * `metadata_conflict` when somebody else was first: fetch, sign and send again.
 */
export async function putMetadata(db: Conn, signed: Signed, by: OnlineSigner) {
  return db.transaction(async (tx) => {
    const now = await lockMetadata(tx);
    const root = await addRoots(tx, signed.roots);
    requireInTime('root', root, now);
    const targets = await addTargets(tx, root, signed, now);
    await renewOnline(tx, now, by);
    return { root: root.version, targets: targets.version };
  });
}

async function addRoots(tx: Queryable, roots: string[]): Promise<Stored> {
  let newest = await newestMetadata(tx, 'root');
  for (const body of roots) {
    requireSize('root', body);
    const { version } = aboutOf('root', body);
    if (newest && version <= newest.version) {
      if ((await getMetadata(tx, 'root', version)) === body) continue;
      throw new MegaError('metadata_conflict', `another root of version ${version} is in use here`);
    }
    verifyRoot(newest?.body, body);
    await addMetadata(tx, 'root', version, body);
    newest = { version, body };
  }
  if (newest) return newest;
  throw new InputError('no_root', 'no root is known here yet: mega keys push sends it');
}

async function addTargets(tx: Queryable, root: Stored, signed: Signed, now: Date): Promise<Stored> {
  const stored = await newestMetadata(tx, 'targets');
  const body = signed.targets ?? stored?.body;
  if (body === undefined)
    throw new InputError('bad_metadata', 'no targets are known here yet: send them, too');
  verifySigned(root.body, 'targets', body);
  if (body === stored?.body) return stored;
  const { version } = aboutOf('targets', body);
  if (signed.replaces !== (stored?.version ?? 0) || version <= signed.replaces) {
    const newest = `the targets have version ${stored?.version ?? 0} here by now`;
    throw new MegaError('metadata_conflict', `${newest}: fetch them, sign and send again`);
  }
  requireSize('targets', body);
  requireInTime('targets', { version, body }, now);
  await requireMeaning(tx, targetsOf(body), stored ? targetsOf(stored.body) : []);
  await addMetadata(tx, 'targets', version, body);
  return { version, body };
}

/** A package is signed once its bytes are here, so that whatever is signed can be had. */
async function requireMeaning(tx: Queryable, targets: Target[], before: Target[]): Promise<void> {
  orderKeysIn(targets);
  minimumIn(targets);
  const ready = (await listPackages(tx)).filter((one) => one.state === 'ready');
  const uploaded = new Map(ready.map((row) => [packagePath(row.manifest), row]));
  const missing = targets.filter(({ path }) => {
    const found = packageIn(targets, path);
    if (!found || packageIn(before, path)?.sha256 === found.sha256) return false;
    const row = uploaded.get(path);
    return row?.sha256 !== found.sha256 || row.size !== found.size;
  });
  if (missing.length === 0) return;
  const names = missing.map(({ path }) => packageName(packageIn(targets, path)!.manifest));
  throw new InputError(
    'unknown_package',
    `signed, but not uploaded here: ${names.join(', ')}; mega package publish sends a package`,
  );
}

function requireSize(role: 'root' | 'targets', body: string): void {
  const bytes = Buffer.byteLength(body);
  if (bytes <= MAX_BYTES[role]) return;
  const remedy = role === 'targets' ? ': mega package remove takes old packages out' : '';
  throw new InputError('too_large', `${role}.json has ${bytes} bytes, more than ${MAX_BYTES[role]}${remedy}`);
}

function requireInTime(role: 'root' | 'targets', { body }: Stored, now: Date): void {
  const { expires } = aboutOf(role, body);
  if (expires > now) return;
  throw new InputError(
    'metadata_expired',
    `${role}.json expired on ${expires.toISOString().slice(0, 10)}: mega keys renew ${role}`,
  );
}
