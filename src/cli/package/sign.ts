import { InputError } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import type { Target } from '../../lib/trust/metadata.ts';
import { packageTarget } from '../../lib/trust/targets.ts';
import { changeTargets } from '../keys/change.ts';
import type { OfflineSigner } from '../keys/signer.ts';
import type { PackageFile } from './read.ts';

/**
 * Adds an uploaded package to what the offline key has signed; from then on it can be ordered. Answers false when it
 * was signed already.
 */
export async function signPackage(call: Call, signer: OfflineSigner, file: PackageFile): Promise<boolean> {
  const added = packageTarget(file.manifest, file.sha256, file.size);
  return changeTargets(call, signer, (targets) => withTarget(targets, added));
}

function withTarget(targets: Target[], added: Target): Target[] {
  const there = targets.find((one) => one.path === added.path);
  if (!there) return [...targets, added];
  if (there.sha256 === added.sha256) return targets;
  throw new InputError(
    'version_taken',
    `${added.path} is signed already with sha256 ${there.sha256}: what was signed never changes`,
  );
}
