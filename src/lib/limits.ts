import { z } from 'zod';
import { readWindow } from './when/window.ts';

/**
 * What a job may do to its hosts, and when: its waves, its limits and its patience. Whoever orders may leave any of it
 * out; what then holds stands beside each.
 */
const PERCENT = /^(100|[1-9]?\d)%$/;
const percent = z.string().regex(PERCENT, 'a percentage from 0% to 100%');
const DAY_MS = 86_400_000;

/**
 * How far the job may have gone when a wave ends, in hosts or in per cent of all its hosts: `1`, `10%`, `100%` are one
 * host, then as many more as make a tenth, then the rest. They rise, and a last wave of `100%` is always implied.
 */
const wave = z.union([
  z.int().min(1).max(1_000_000),
  percent.refine((text) => text !== '0%', 'more than 0%'),
]);
export type Wave = z.infer<typeof wave>;

/** A number of hosts, or per cent. */
const bound = z.union([z.int().min(0).max(1_000_000), percent]);
export type Bound = z.infer<typeof bound>;

const window = z.string().superRefine((text, context) => {
  try {
    readWindow(text, 'UTC');
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

export const limits = z.object({
  /** Without: all hosts at once. */
  waves: z.array(wave).min(1).max(50).optional(),
  /** Tasks under way at once. Without: as many as there are. */
  maxConcurrency: z.int().min(1).max(1_000_000).optional(),
  /**
   * Errors that are borne; one more, and the job pauses. A number counts over the whole job, per cent are of the hosts of
   * the wave that is under way. Without: all are borne.
   */
  maxErrors: bound.optional(),
  /** From the end of a wave to the next, in ms; `approve`: until an operator approves. Without: at once. */
  pauseBetween: z
    .union([
      z
        .int()
        .min(0)
        .max(30 * DAY_MS),
      z.literal('approve'),
    ])
    .optional(),
  /** Tasks that start in a second, at most. */
  rate: z.number().min(0.001).max(100_000).optional(),
  /** How long one task may run, in ms. Without: what its type says. */
  timeoutMs: z
    .int()
    .min(100)
    .max(7 * DAY_MS)
    .optional(),
  /** How long the job waits for hosts that are away, in ms. Without: the dispatcher's `taskDeadlineMs`. */
  deadlineMs: z
    .int()
    .min(1_000)
    .max(90 * DAY_MS)
    .optional(),
  /** How often a task that may be tried again is tried again on its host, first after `retryAfterMs`, then twice that, ... */
  retries: z.int().min(0).max(20).optional(),
  retryAfterMs: z.int().min(0).max(DAY_MS).default(60_000),
  /** When tasks may start, such as `mon-fri 22:00-04:00 Asia/Shanghai` (without a zone: UTC). Without: at any time. */
  window: window.optional(),
});
export type Limits = z.infer<typeof limits>;
export const noLimits = (): Limits => limits.parse({});

/** As it may be asked for: a name that is not known is an error, so that no limit is lost by a slip. */
export const limitsWanted = limits.strict().optional();

/** Whether all hosts may start at once and nothing is watched: then nobody need drive the job. */
export function saysNothing({
  waves,
  maxConcurrency,
  maxErrors,
  rate,
  window,
  retries = 0,
}: Limits): boolean {
  const atOnce = (waves ?? []).every((one) => one === '100%');
  return (
    atOnce && [maxConcurrency, maxErrors, rate, window].every((one) => one === undefined) && retries === 0
  );
}

/** How many hosts a bound is, of so many: per cent are rounded down. */
export function boundOf(bound: Bound, hosts: number): number {
  return typeof bound === 'number' ? bound : Math.floor((Number.parseInt(bound, 10) * hosts) / 100);
}

/**
 * The size of each wave of a job of so many hosts: none is empty, and together they are all hosts. Per cent are rounded
 * up, so that `1%` of ten hosts is one.
 */
export function waveSizes(waves: Wave[] | undefined, hosts: number): number[] {
  const sizes: number[] = [];
  let reached = 0;
  for (const one of [...(waves ?? []), '100%' as const]) {
    const upTo = typeof one === 'number' ? one : Math.ceil((Number.parseInt(one, 10) * hosts) / 100);
    const size = Math.min(hosts, upTo) - reached;
    if (size <= 0) continue;
    sizes.push(size);
    reached += size;
  }
  return sizes;
}
