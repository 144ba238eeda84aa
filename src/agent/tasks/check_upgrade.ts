import { describe } from '../../lib/errors.ts';
import { argsOf } from '../upgrade/facts.ts';
import { requireReady } from '../upgrade/ready.ts';
import { refusalOf } from '../upgrade/refusal.ts';
import { missingRuntime } from '../upgrade/runtime.ts';
import type { TaskType } from './task.ts';

/** Says what an upgrade would do, and does none of it: a refusal is told as the upgrade itself would tell it. */
export const checkUpgrade: TaskType = {
  name: 'check_upgrade',
  lane: 'control',
  onCrash: 'again',
  run: async ({ room, entry, signal }) => {
    const args = argsOf(entry);
    try {
      await requireReady(room, args, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return refusalOf(error) ?? { state: 'failed', reason: describe(error) };
    }
    const runtime = missingRuntime(room.home, args)?.size ?? 0;
    return { state: 'succeeded', output: { from: room.version, to: args.to, bytes: args.size, runtime } };
  },
};
