import { z } from 'zod';

/** Settings of an agent for scripts, and what its configuration and orders from outside have in common. */

export const LOG_LEVEL = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']);
export const SCRIPT_LANES = z.int().min(1).max(64);
export const SCRIPT_WAIT_MS = z.int().min(0).max(3_600_000);

export const scriptSettings = {
  /** The script folder, relative to the home. */
  scripts: z.string().min(1).default('../scripts'),
  /** As whom scripts run. Without: as the agent. */
  scriptUser: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/i)
    .optional(),
  /** How many run at once. */
  scriptLanes: SCRIPT_LANES.default(4),
  /** How long an upgrade waits for scripts that run. They outlive it, but a package's scripts may go with its release. */
  scriptWaitMs: SCRIPT_WAIT_MS.default(600_000),
  /** Whether text for a shell is taken, too: whoever holds a dispatcher then runs what he likes here. */
  allowShellText: z.boolean().default(false),
  /** What each process of a script may have at most. Without: as an order says, or without a limit. */
  scriptMemoryBytes: z
    .int()
    .min(1 << 20)
    .optional(),
  scriptCpuSeconds: z.int().min(1).optional(),
};
