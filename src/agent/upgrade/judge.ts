import { describe } from '../../lib/errors.ts';
import type { Trial } from '../../lib/messages.ts';
import { sleep } from '../../lib/utils.ts';
import { type Answered, sayHello } from '../hello.ts';
import type { Room } from '../room.ts';
import type { Facts } from './facts.ts';

const MAX_HOLDS = 3;
const ASK_AGAIN_MS = 2_000;
const SLACK_MS = 2_000;

export type Judgement = { guilty: true; reason: string } | { guilty: false };

/**
 * The previous release judges why the new one did not prove itself (I5). A crash and a hang need no arbiter. Of one
 * that stayed silent we ask: do we get through, where it did not? And was there service all the while? Only then
 * it was its own fault. Otherwise the trial is held again, three times at most.
 */
export async function judge(
  room: Room,
  about: { verdict: string; facts: Facts; to: string; trial: Trial },
  onWaiting: () => void,
  signal: AbortSignal,
): Promise<Judgement> {
  const { verdict, facts, to, trial } = about;
  if (!needsArbiter(verdict)) return { guilty: true, reason: `${to} ${inWords(verdict)}` };
  const answered = await untilAnswered(room, onWaiting, signal);
  const served = answered.steadyMs > trial.seconds * 1000 + SLACK_MS;
  const silent = `${to} did not answer the dispatcher's probe within ${trial.seconds} s`;
  // A torn file, or a kill in the last moment: that is no word about the release.
  const proveless = /^(unreadable|lost|not_switched)\b/.test(verdict) || facts.proof !== undefined;
  if (served && !proveless && !facts.unreachable) {
    return { guilty: true, reason: `${silent}, and ${room.version} gets through` };
  }
  if (facts.holds >= MAX_HOLDS) {
    const last = proveless ? verdict : (facts.unreachable ?? '');
    return {
      guilty: true,
      reason: `${to} was not proved in ${facts.holds} trials${last && ` (last: ${last})`}`,
    };
  }
  room.logger.info(
    { to, holds: facts.holds, unreachable: facts.unreachable, verdict },
    'no verdict: another trial',
  );
  return { guilty: false };
}

export function needsArbiter(verdict: string): boolean {
  return !/^(crashed|hung)\b/.test(verdict);
}

/** Waits as long as it takes; after a while it says that it waits. */
async function untilAnswered(room: Room, onWaiting: () => void, signal: AbortSignal): Promise<Answered> {
  const since = Date.now();
  let told = false;
  for (;;) {
    try {
      return await sayHello(room);
    } catch (error) {
      signal.throwIfAborted();
      room.logger.info({ error: describe(error) }, 'no dispatcher to arbitrate with');
    }
    if (!told && Date.now() - since > room.config.arbitrationMs) {
      told = true;
      onWaiting();
    }
    await sleep(ASK_AGAIN_MS, signal);
  }
}

function inWords(verdict: string): string {
  const [word, ...detail] = verdict.split(' ');
  if (word === 'crashed') return `crashed at its start (${detail.join(' ')})`;
  if (word === 'hung') return `hung (no sign of life for ${detail.join(' ')})`;
  return `was given up: ${verdict}`;
}
