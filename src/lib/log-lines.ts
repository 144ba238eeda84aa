import { z } from 'zod';
import { HOST_ID } from './utils.ts';

/**
 * Log lines on their way from a host to the dispatcher, in batches. A batch bears an id of its own, so that one that comes
 * twice is kept once.
 */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof LEVELS)[number];

/** Characters of one line; what is longer is cut, and says so at its end. */
export const MAX_LINE = 4_000;
/** Lines of one batch. */
export const MAX_LINES = 200;

const text = z.string().transform(cutLine);

export const logLine = z.object({
  /** The dispatcher's clock, as far as the host knows it, in ms since 1970. */
  at: z.int().min(0).max(8_000_000_000_000),
  level: z.enum(LEVELS),
  text,
  /** What was running, if a task was. */
  task: z.uuid().optional(),
  script: z.string().max(255).optional(),
});
export type LogLine = z.infer<typeof logLine>;

export const logBatch = z.object({
  kind: z.literal('log'),
  v: z.literal(1),
  id: z.uuid(),
  host: z.string().regex(HOST_ID),
  lines: z.array(logLine).max(MAX_LINES),
  /** Lines before these that the host had no room for. */
  dropped: z.int().min(0).default(0),
});
export type LogBatch = z.infer<typeof logBatch>;

export function cutLine(line: string): string {
  if (line.length <= MAX_LINE) return line;
  const rest = `… (${line.length} characters)`;
  return `${line.slice(0, MAX_LINE - rest.length)}${rest}`;
}
