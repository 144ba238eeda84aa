import type { Home } from '../../lib/home.ts';
import type { UpgradeArgs } from '../../lib/messages.ts';
import { hasRuntime, requireRuntime } from '../../lib/runtime.ts';
import { platform } from '../../lib/utils.ts';
import type { Wanted } from './download.ts';

/**
 * The runtime that is to be fetched for an upgrade: none where this host has it. Asked anew in each phase, so that an
 * attempt that died after it was in place goes on without it. Error: `no_runtime`, where nobody has it.
 */
export function missingRuntime(home: Home, args: UpgradeArgs): Wanted | undefined {
  if (hasRuntime(home, args.runtime)) return undefined;
  const offered = args.runtimes[platform()];
  if (!offered) requireRuntime(home, args.runtime);
  return offered;
}
