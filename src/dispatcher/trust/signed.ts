import { isDeepStrictEqual } from 'node:util';
import { InputError } from '../../lib/errors.ts';
import type { Target } from '../../lib/trust/metadata.ts';
import { minimumIn, packageIn, packagePath } from '../../lib/trust/targets.ts';
import { compareVersions } from '../../lib/utils.ts';
import type { PackageRow } from '../store/packages.ts';

/** Just what hosts will demand: the signed targets name this package, with this sum and this manifest. Pure. */
export function isSigned(targets: Target[], row: PackageRow): boolean {
  const found = packageIn(targets, packagePath(row.manifest));
  return found?.sha256 === row.sha256 && isDeepStrictEqual(found.manifest, row.manifest);
}

/** Error: `below_minimum`, which hosts would say as well. Pure. */
export function requireMinimum(targets: Target[], version: string): void {
  const minimum = minimumIn(targets);
  if (minimum === undefined || compareVersions(version, minimum) >= 0) return;
  throw new InputError(
    'below_minimum',
    `${version} is below ${minimum}, the signed minimum: no host takes it, whoever asks`,
  );
}
