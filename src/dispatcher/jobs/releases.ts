import { InputError } from '../../lib/errors.ts';
import type { UpgradeArgs } from '../../lib/messages.ts';
import type { Target } from '../../lib/trust/metadata.ts';
import { compareVersions } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import { listPackages, type PackageRow, type ReleaseRow } from '../store/packages.ts';
import { isSigned } from '../trust/signed.ts';

/** What there is to be ordered. */
export type Published = {
  /** All that the offline keys have signed. */
  targets: Target[];
  uploaded: PackageRow[];
  /** Those of the uploaded packages that they have signed as well. */
  signed: PackageRow[];
};

export async function publishedNow({ db, metadata }: Context): Promise<Published> {
  const targets = await metadata.signed();
  const uploaded = (await listPackages(db)).filter((one) => one.state === 'ready');
  return { targets, uploaded, signed: uploaded.filter((one) => isSigned(targets, one)) };
}

export function releaseIn({ signed }: Published, version: string): ReleaseRow | undefined {
  return releasesOf(signed).find((one) => one.name === version);
}

/** Without a version: the newest. Errors: `not_signed`, `unknown_version`. */
export function wantedRelease(published: Published, version?: string): ReleaseRow {
  const final = releasesOf(published.signed).filter((one) => !one.name.includes('-')); // a pre-release is taken only by its name
  const newest = final.toSorted((a, b) => compareVersions(b.name, a.name))[0];
  const found = version === undefined ? newest : releaseIn(published, version);
  if (found) return found;
  if (releasesOf(published.uploaded).some((one) => one.name === version)) {
    throw new InputError(
      'not_signed',
      `version ${version} is uploaded, but not signed: whoever holds the targets key runs mega package publish`,
    );
  }
  const what = version === undefined ? 'no version is' : `version ${version} is not`;
  throw new InputError('unknown_version', `${what} published; mega package list shows what is`);
}

/**
 * What an order says of a release. Of the signed packages it names the runtimes that the release runs on, by platform: that
 * there is none is no error, since hosts may have it, and one that does not says so.
 */
export function aboutRelease(
  to: ReleaseRow,
  signed: PackageRow[],
): Omit<UpgradeArgs, 'trial' | 'downgrade' | 'expect'> {
  const { platforms, runtime } = to.manifest;
  const fit = signed
    .filter((one) => one.kind === 'runtime')
    .filter((one) => one.manifest.runtime === runtime);
  const runtimes = fit.map(({ manifest, sha256, size }) => [manifest.platform, { sha256, size }]);
  const { name, sha256, size, releasedAt } = to;
  const released = releasedAt ? { released: releasedAt.getTime() } : {};
  const about = { to: name, sha256, size, platforms, runtime, ...released };
  return { ...about, runtimes: Object.fromEntries(runtimes) };
}

const releasesOf = (packages: PackageRow[]) => packages.filter((one) => one.kind === 'release');
