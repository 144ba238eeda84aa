import { z } from 'zod';
import { InputError } from './errors.ts';
import { schemas } from './messages.ts';
import { LOG_LEVEL, SCRIPT_LANES, SCRIPT_WAIT_MS } from './script-settings.ts';
import { bytesPerSecond } from './settings.ts';

/**
 * What an order asks of a host: the arguments of each type of task, as operators give them, the dispatcher passes them on
 * and the agent checks them again; and what a script's result holds.
 */
export const SCRIPT_TYPES = ['cmd', 'bash', 'python', 'node'] as const;
export type ScriptType = (typeof SCRIPT_TYPES)[number];

const MAX_STDIN = 64 << 10;
const MAX_ARGS = 32 << 10;
/** In a message each of them may take six bytes, and both ends must fit. */
const MAX_KEPT = 64 << 10;

/** No part begins with a dot or a dash, so that none leads out of the folder or reads as an option. */
const script = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*){0,7}$/,
    'a name in the script folder, such as backup.sh or mysql/backup.sh',
  );
const word = z
  .string()
  .max(8_192)
  .refine((text) => !text.includes('\0'), 'no argument holds a zero byte');

export const remoteCmd = z.object({
  /** A script of the host's script folder, or of the release that is named. */
  script: script.optional(),
  /** Text for /bin/sh in place of a script; only where the host's own configuration allows it. */
  shell: z
    .string()
    .min(1)
    .max(16 << 10)
    .refine((text) => !text.includes('\0'), 'no text holds a zero byte')
    .optional(),
  /** What runs the script. Without: what its name ends with says, and else the script is a program itself (`cmd`). */
  type: z.enum(SCRIPT_TYPES).optional(),
  /** The release whose package has brought the script. */
  release: schemas.version.optional(),
  args: z.array(word).max(256).default([]),
  stdin: z.string().max(MAX_STDIN).optional(),
  /** Between TERM and KILL. */
  graceMs: z.int().min(0).max(60_000).default(10_000),
  /** What the result holds of the output's head, and as much of its tail. */
  keepBytes: z
    .int()
    .min(0)
    .max(MAX_KEPT)
    .default(16 << 10),
  /** Of each process of the script. */
  memoryBytes: z
    .int()
    .min(1 << 20)
    .max(2 ** 44)
    .optional(),
  cpuSeconds: z
    .int()
    .min(1)
    .max(30 * 86_400)
    .optional(),
});
export type RemoteCmd = z.infer<typeof remoteCmd>;
export const SCRIPT_LIMIT_MS = 600_000;
/** For so long a host may be away and still run it: what was wanted now is seldom wanted next week. */
export const SCRIPT_DEADLINE_MS = 600_000;

/** Errors: `bad_argument`, when it names not just one of script and text; `too_large`. */
export function requireRunnable({ script: name, shell, type, release, args }: RemoteCmd): void {
  if ((name === undefined) === (shell === undefined)) {
    throw new InputError('bad_argument', 'name either a script or the text of one');
  }
  if (shell !== undefined && (type !== undefined || release !== undefined)) {
    throw new InputError('bad_argument', 'text for the shell has neither a type nor a release');
  }
  const bytes = args.reduce((sum, one) => sum + Buffer.byteLength(one), 0);
  if (bytes > MAX_ARGS) {
    throw new InputError('too_large', `arguments of ${bytes} bytes; at most ${MAX_ARGS}: give more as stdin`);
  }
}

/** How a script ended, and what its result holds of what it wrote. */
export const scriptOutput = z.object({
  /** Exit code, or the signal that ended it; neither when that is not known. */
  code: z.int().nullable(),
  signal: z.string().nullable(),
  /** All of it, or the head, and then `tail` is its end: base64 where it is no text. */
  head: z.string(),
  tail: z.string(),
  encoding: z.enum(['utf8', 'base64']),
  /** How much it wrote, and how much of that lies between head and tail. */
  bytes: z.int(),
  cut: z.int(),
  /** Processes of it went on when it had ended, and were ended. */
  leftovers: z.boolean(),
});
export type ScriptOutput = z.infer<typeof scriptOutput>;

export const LOG_FILES = ['agent', 'loader'] as const;
export const fetchLogs = z.object({
  file: z.enum(LOG_FILES).default('agent'),
  /** From the end. */
  bytes: z
    .int()
    .min(1)
    .max(128 << 10)
    .default(32 << 10),
  /** Only lines that hold this. */
  grep: z.string().max(200).optional(),
});
export type FetchLogs = z.infer<typeof fetchLogs>;

/**
 * What may be changed from outside: how often and how much, never whom the host trusts or obeys, where its scripts lie, as
 * whom they run, or whether it takes text for a shell. What is not here is changed on the host itself.
 */
export const settings = z.strictObject({
  heartbeatMs: z.int().min(200).max(60_000).optional(),
  reconnectMs: z.int().min(10).max(60_000).optional(),
  arbitrationMs: z.int().min(500).max(600_000).optional(),
  maxDownloadBytesPerSecond: bytesPerSecond.optional(),
  scriptLanes: SCRIPT_LANES.optional(),
  scriptWaitMs: SCRIPT_WAIT_MS.optional(),
  logLevel: LOG_LEVEL.optional(),
});
export type Settings = z.infer<typeof settings>;

/** A team's own types of task bear a mark that none of ours can. */
export const OWN_PREFIX = 'own_';
export const ownName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,35}$/, 'the name of a task in the package, such as purge_binlogs');
