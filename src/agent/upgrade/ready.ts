import type { UpgradeArgs } from '../../lib/messages.ts';
import type { Room } from '../room.ts';
import { runHooks } from './hooks.ts';
import { preflight } from './preflight.ts';
import { requireSigned } from './signed.ts';

/**
 * All that is looked at before anything is fetched; throws a {@link Refusal}. The owner's own checks last: they may take
 * long, and are asked only about what could be done, after whatever else is to be waited for (`beforeChecks`).
 */
export async function requireReady(
  room: Room,
  args: UpgradeArgs,
  signal: AbortSignal,
  beforeChecks: () => Promise<void> = async () => undefined,
): Promise<void> {
  preflight(room, args);
  await requireSigned(room, args, signal);
  await beforeChecks();
  await runHooks(room.home, signal);
}
