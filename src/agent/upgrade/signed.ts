import { isDeepStrictEqual } from 'node:util';
import { codeOf, describe, UnavailableError } from '../../lib/errors.ts';
import { runtimeName } from '../../lib/home.ts';
import type { UpgradeArgs } from '../../lib/messages.ts';
import type { Target } from '../../lib/trust/metadata.ts';
import { minimumIn, packageIn, releasePath, runtimePath } from '../../lib/trust/targets.ts';
import { compareVersions, sleep } from '../../lib/utils.ts';
import type { Room } from '../room.ts';
import { namingFullDisk } from './disk.ts';
import { Refusal } from './refusal.ts';
import { missingRuntime } from './runtime.ts';

const ASK_AGAIN_MS = 1_000;

/**
 * That the offline keys have signed just what the order names (I4): whoever holds the dispatcher may choose among what
 * they signed, and no more. Asks for as long as no dispatcher answers; throws a {@link Refusal} otherwise.
 */
export async function requireSigned(room: Room, args: UpgradeArgs, signal: AbortSignal): Promise<void> {
  const targets = await signedNow(room, signal);
  requireMinimum(targets, args.to);
  const release = packageIn(targets, releasePath(args.to));
  if (!release) throw new Refusal('not_signed', `${args.to} is not among the signed packages`);
  const { platforms, runtime } = release.manifest.name === 'mega' ? release.manifest : {};
  const ordered = { sha256: args.sha256, size: args.size, platforms: args.platforms, runtime: args.runtime };
  if (!isDeepStrictEqual(ordered, { sha256: release.sha256, size: release.size, platforms, runtime })) {
    throw new Refusal('not_signed', `the order means another ${args.to} than the one that was signed`);
  }
  requireRuntimeSigned(room, args, targets);
}

function requireRuntimeSigned(room: Room, args: UpgradeArgs, targets: Target[]): void {
  const wanted = missingRuntime(room.home, args);
  if (!wanted) return;
  const name = runtimeName(args.runtime);
  const signed = packageIn(targets, runtimePath(name));
  if (signed?.sha256 === wanted.sha256 && signed.size === wanted.size) return;
  throw new Refusal(
    'not_signed',
    `the runtime ${name} that the order names is not among the signed packages`,
  );
}

function requireMinimum(targets: Target[], to: string): void {
  const minimum = minimumIn(targets);
  if (minimum === undefined || compareVersions(to, minimum) >= 0) return;
  throw new Refusal('below_minimum', `${to} is below ${minimum}, the least that the offline keys allow`);
}

/** However long no dispatcher answers, the task's own limit ends it. */
async function signedNow(room: Room, signal: AbortSignal): Promise<Target[]> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await namingFullDisk(room.home.state, () => room.trust.targets());
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw new Refusal(codeOf(error), describe(error));
      room.logger.info({ error: describe(error) }, 'what is signed cannot be learnt yet');
    }
    await sleep(ASK_AGAIN_MS * (0.5 + Math.random()), signal);
  }
}
