import { type Command, InvalidArgumentError } from 'commander';
import { type Bound, limits, type Wave } from '../../lib/limits.ts';
import { readWindow } from '../../lib/when/window.ts';
import { ownZone } from '../../lib/when/zone.ts';
import { duration } from '../duration.ts';
import { number, wholeNumber } from '../world.ts';

export type LimitOptions = {
  waves?: Wave[];
  maxConcurrency?: number;
  maxErrors?: Bound;
  pauseBetween?: number | 'approve';
  rate?: number;
  taskTimeout?: number;
  deadline?: number;
  retries?: number;
  retryAfter?: number;
  window?: string;
};

/** What a job may do to its hosts, and when: the same options for each command that makes one. */
export function addLimitOptions(command: Command): Command {
  return command
    .option('--waves <list>', 'how far to go before each look back, in hosts or %, such as 1,10%,100%', waves)
    .option(
      '--max-concurrency <number>',
      'how many hosts may be at work at the same time',
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--max-errors <bound>',
      'errors to bear, 3 in the whole job or 5% of a wave; then it pauses',
      bound,
    )
    .option(
      '--pause-between <duration>',
      'how long to wait after each wave, such as 10m; or approve, for an operator',
      pause,
    )
    .option('--rate <number>', 'how many hosts may start in a second', number(0.001, 100_000))
    .option('--task-timeout <duration>', 'how long each host may take, such as 30m', duration)
    .option('--deadline <duration>', 'how long to wait for hosts that are away, such as 2d', duration)
    .option(
      '--retries <number>',
      'how often a host tries again what did no harm by failing',
      wholeNumber(0, 20),
    )
    .option(
      '--retry-after <duration>',
      'how long it waits before that (default: 60s); twice as long each time',
      duration,
    )
    .option(
      '--window <hours>',
      "when hosts may start, such as 'mon-fri 22:00-04:00 Asia/Shanghai' (default zone: this machine's)",
      window,
    );
}

/** As the dispatcher's functions take them; undefined where none was given. Commander has checked each. */
export function limitsOf(options: LimitOptions): object | undefined {
  const { waves, maxConcurrency, maxErrors, pauseBetween, rate, retries, window } = options;
  const { taskTimeout: timeoutMs, deadline: deadlineMs, retryAfter: retryAfterMs } = options;
  const given = { waves, maxConcurrency, maxErrors, pauseBetween, rate, retries, window };
  const all = Object.entries({ ...given, timeoutMs, deadlineMs, retryAfterMs });
  const said = all.filter(([, value]) => value !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

const amount = (text: string) => (/^\d+$/.test(text) ? Number(text) : text);

function waves(text: string): Wave[] {
  const parsed = limits.shape.waves.safeParse(text.split(',').map((one) => amount(one.trim())));
  if (parsed.success && parsed.data) return parsed.data;
  throw new InvalidArgumentError('It must be hosts or per cent, such as 1,10%,100%.');
}

export function bound(text: string): Bound {
  const parsed = limits.shape.maxErrors.safeParse(amount(text));
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  throw new InvalidArgumentError('It must be a number such as 3, or per cent such as 5%.');
}

function window(text: string): string {
  try {
    const { text: hours, zone } = readWindow(text, ownZone());
    return `${hours} ${zone}`;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

const pause = (text: string) => (text === 'approve' ? text : duration(text));
