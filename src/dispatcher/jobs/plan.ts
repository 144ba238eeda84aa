import { boundOf, type Limits } from '../../lib/limits.ts';
import { retryPauseMs } from './retryable.ts';

/**
 * What is to be done next with a job: pure.
 *
 * INVARIANTS
 * - Tasks start in waves that have begun, and a wave begins only when all before it have ended.
 * - A wave has ended when nothing of it is under way, may start, or is to be tried again, and something of it went well
 *   or nothing of it is left. So hosts that are away keep nobody waiting, and prove nothing.
 * - No more is under way than `maxConcurrency`, counting what is ready to be sent; no more starts than `rate`.
 * - While the job's window is closed nothing starts; hosts whose own windows are closed are as if they were away.
 * - Past `maxErrors` nothing starts until an operator says so.
 * - Every wait has an end: that of a host is its task's deadline, that of a pause or an approval is `patienceMs`.
 */
export type Look = {
  /** All times are the database's own, in ms since 1970. */
  now: number;
  state: 'running' | 'paused' | 'cancelling';
  limits: Limits & { deadlineMs: number };
  wave: number;
  /** Hosts in each wave. */
  waves: number[];
  waveEndedAt: number | null;
  approvedWave: number;
  nextStartAt: number | null;
  deadlineAt: number | null;
  /** How long an operator may take to approve, or to resume. */
  patienceMs: number;
  frozen: boolean;
  /** A window that is closed and holds something back: all of the job (`shut`), or some of its hosts. */
  window?: { shut: boolean; opensAt: number | null } | null;
  /** Sent, or ready to be. */
  inFlight: number;
  /** Whether anything has not ended; in the wave that is under way, whether something waits and something went well. */
  open: boolean;
  waits: boolean;
  succeeded: boolean;
  /** Errors that count, by wave. */
  errors: ReadonlyMap<number, number>;
  /** Tasks of waves that have begun, whose hosts are there: as many as could start at once. */
  mayStart: readonly string[];
  /** When the next host that is there tries again. */
  nextTryAt: number | null;
  /** Tasks to be tried again. */
  triable: readonly { id: string; tries: number }[];
};

export type Step =
  | { do: 'finish' }
  | { do: 'giveUp'; reason: string }
  /** What waits past its deadline. */
  | { do: 'expire' }
  | { do: 'pause'; reason: string }
  | { do: 'tryAgain'; tasks: { id: string; pauseMs: number }[] }
  | { do: 'start'; tasks: string[]; nextStartAt: number | null }
  | { do: 'endWave' }
  | { do: 'beginWave'; wave: number };

export type Waiting = { what: 'approval' | 'pause' | 'window' | 'frozen' | 'hosts'; until: number | null };
export type Plan = {
  steps: Step[];
  waitingFor: Waiting | null;
  /** When to look again though nothing was heard. */
  lookInMs: number;
};

const LOOK_MS = 1_000;
/** Nothing happens by itself. */
const LOOK_SELDOM_MS = 5_000;
/** What starts together under a rate: that of a tenth of a second, since looks are not further apart. */
const BURST_S = 0.1;

export function planJob(look: Look): Plan {
  const { now, state, triable } = look;
  const givenUp = state === 'paused' && isPast(look.deadlineAt, now);
  if (!look.open && (state === 'cancelling' || givenUp || triable.length === 0)) return act({ do: 'finish' });
  if (givenUp) return act({ do: 'giveUp', reason: 'the job stayed paused until its deadline' });
  if (state === 'paused') return { steps: [], waitingFor: null, lookInMs: LOOK_SELDOM_MS };
  if (state === 'cancelling') return { steps: [], waitingFor: null, lookInMs: LOOK_MS };
  return planRunning(look);
}

function planRunning(look: Look): Plan {
  const { now, triable, limits } = look;
  if (triable.length > 0) {
    const pauseMs = (tries: number) => retryPauseMs(limits.retryAfterMs, tries);
    const tasks = triable.map(({ id, tries }) => ({ id, pauseMs: pauseMs(tries) }));
    return act({ do: 'tryAgain', tasks });
  }
  if (isPast(look.deadlineAt, now)) return act({ do: 'expire' });
  const excess = excessOf(look);
  if (excess) return act({ do: 'pause', reason: excess });
  if (isPast(approvalEnd(look), now)) return act({ do: 'giveUp', reason: 'nobody approved the next wave' });
  return planStarts(look);
}

const act = (step: Step): Plan => ({ steps: [step], waitingFor: null, lookInMs: 0 });
const isPast = (at: number | null, now: number) => at !== null && now >= at;

function planStarts(look: Look): Plan {
  const tasks = look.mayStart.slice(0, room(look));
  const start: Step[] =
    tasks.length > 0 ? [{ do: 'start', tasks, nextStartAt: afterStarts(look, tasks.length) }] : [];
  const turn = turnOf(look);
  const steps = [...start, ...turn];
  // More may be startable than was looked at.
  const more = turn.length > 0 || (tasks.length > 0 && tasks.length === look.mayStart.length);
  const waitingFor = steps.length > 0 ? null : waitOf(look);
  return { steps, waitingFor, lookInMs: more ? 0 : nextLook(look, waitingFor) };
}

/** How many may start now. */
function room({ frozen, window, limits, inFlight, nextStartAt, now }: Look): number {
  if (frozen || window?.shut) return 0;
  const { rate, maxConcurrency = Number.POSITIVE_INFINITY } = limits;
  const free = Math.max(0, maxConcurrency - inFlight);
  if (rate === undefined) return free;
  if (nextStartAt !== null && now < nextStartAt) return 0;
  return Math.min(free, Math.max(1, Math.floor(rate * BURST_S)));
}

function afterStarts({ limits: { rate }, now }: Look, started: number): number | null {
  return rate === undefined ? null : now + Math.ceil((started * 1_000) / rate);
}

/** From one wave to the next. */
function turnOf(look: Look): Step[] {
  const { wave, waves, waveEndedAt } = look;
  if (wave >= waves.length || !hasEnded(look)) return [];
  const end: Step[] = waveEndedAt === null ? [{ do: 'endWave' }] : [];
  return mayGoOn(look) ? [...end, { do: 'beginWave', wave: wave + 1 }] : end;
}

const isQuiet = ({ inFlight, mayStart, nextTryAt }: Look) =>
  inFlight === 0 && mayStart.length === 0 && nextTryAt === null;
const hasEnded = (look: Look) => isQuiet(look) && (look.succeeded || !look.waits);

function mayGoOn({ limits: { pauseBetween = 0 }, wave, approvedWave, waveEndedAt, now }: Look): boolean {
  if (approvedWave > wave || pauseBetween === 0) return true;
  return pauseBetween !== 'approve' && waveEndedAt !== null && now >= waveEndedAt + pauseBetween;
}

/** When waiting for an approval is given up. */
function approvalEnd(look: Look): number | null {
  const { limits, waveEndedAt, patienceMs } = look;
  if (limits.pauseBetween !== 'approve' || waveEndedAt === null || mayGoOn(look)) return null;
  return waveEndedAt + patienceMs;
}

/** Why it is too much, if it is. A number bounds the whole job; per cent are of each wave. */
function excessOf({ limits: { maxErrors }, waves, errors }: Look): string | undefined {
  if (maxErrors === undefined) return undefined;
  if (typeof maxErrors === 'number') {
    const all = [...errors.values()].reduce((sum, n) => sum + n, 0);
    return all > maxErrors ? `${counted(all)}, and it bears ${maxErrors}` : undefined;
  }
  for (const [wave, n] of errors) {
    const borne = boundOf(maxErrors, waves[wave - 1] ?? 0);
    if (n > borne)
      return `${counted(n)} in wave ${wave}, which bears ${borne} (${maxErrors} of ${waves[wave - 1]})`;
  }
  return undefined;
}

const counted = (n: number) => (n === 1 ? '1 error' : `${n} errors`);

/** What it waits for, when nothing can be done and nothing is under way. */
function waitOf(look: Look): Waiting | null {
  const { frozen, window, waveEndedAt, limits, nextTryAt, inFlight, mayStart, open } = look;
  if (frozen) return { what: 'frozen', until: null };
  if (window?.shut && inFlight === 0 && open) return { what: 'window', until: window.opensAt };
  if (inFlight > 0 || mayStart.length > 0 || !open) return null;
  if (nextTryAt !== null) return { what: 'pause', until: nextTryAt };
  if (waveEndedAt !== null && !mayGoOn(look)) {
    if (limits.pauseBetween === 'approve') return { what: 'approval', until: approvalEnd(look) };
    return { what: 'pause', until: waveEndedAt + (limits.pauseBetween ?? 0) };
  }
  if (window) return { what: 'window', until: window.opensAt };
  return { what: 'hosts', until: look.deadlineAt };
}

/** Hosts come and go without a word to the driver, so it looks each second, and sooner when something is due. */
function nextLook({ now, mayStart, nextStartAt }: Look, waiting: Waiting | null): number {
  const byRate = mayStart.length > 0 ? nextStartAt : null;
  const due = [byRate, waiting?.until ?? null].filter((at) => at !== null);
  return Math.max(0, Math.min(LOOK_MS, ...due.map((at) => at - now)));
}
