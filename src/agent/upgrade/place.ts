import { codeOf, describe, InputError, UnavailableError } from '../../lib/errors.ts';
import { type Artifact, check } from '../../lib/messages.ts';
import { type Offer, offer } from '../../lib/offer.ts';
import { sleep } from '../../lib/utils.ts';
import type { Room } from '../room.ts';
import type { Wanted } from './download.ts';

const ASK_PAUSE_MS = 1_000;
/** However long the dispatcher says that we are to wait. */
const MOST_PAUSE_MS = 600_000;
const ASK_TIMEOUT_MS = 60_000;
const GIVE_BACK_MS = 10_000;
const RENEWALS = 3;

/**
 * This host's place among those that may read packages now. `take` asks until there is one; `keep` renews it while we
 * read, and says when it is lost: another host may have it from then on, and we must not read. Renewing that fails is
 * tried again: a dispatcher that is away takes nothing from us before the lease ends. `giveBack` is a courtesy, the
 * lease does it otherwise. A dispatcher that says no lease keeps no count.
 */
export class Place {
  #room: Room;
  #wanted: Wanted;
  #leaseMs: number | undefined;
  /** By our own clock, counted from before we asked. */
  #until = 0;

  constructor(room: Room, wanted: Wanted) {
    this.#room = room;
    this.#wanted = wanted;
  }

  /** Where to read, as soon as we may. `again`: the stream did not hold all of it. Lasts until `signal` is aborted. */
  async take(again: boolean, signal: AbortSignal): Promise<Artifact> {
    let renew = again;
    let told = '';
    const tell = (code: string, why: string | undefined) => {
      if (code !== told) this.#room.logger.info({ reason: why }, 'the package cannot be had yet');
      told = code;
    };
    for (;;) {
      signal.throwIfAborted();
      let pauseMs = ASK_PAUSE_MS;
      try {
        const { artifact, retryMs, reason } = await this.#ask(renew, ASK_TIMEOUT_MS);
        renew = false;
        if (artifact?.size === this.#wanted.size) return artifact;
        if (artifact) throw new InputError('corrupt', 'the dispatcher offers an artifact of another size');
        tell(retryMs === undefined ? 'filling' : 'full', reason ?? 'it is on its way into the broker');
        pauseMs = Math.min(retryMs ?? ASK_PAUSE_MS, MOST_PAUSE_MS);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error; // that passes by itself (I5)
        tell(codeOf(error), describe(error));
      }
      await sleep(pauseMs * (0.5 + Math.random()), signal);
    }
  }

  /** Renews the place until `signal` is aborted; calls `lost` once when it is ours no more. */
  async keep(lost: () => void, signal: AbortSignal): Promise<void> {
    while (this.#leaseMs !== undefined) {
      const pauseMs = this.#leaseMs / RENEWALS;
      await sleep(Math.min(pauseMs, this.#leftMs), signal).catch(() => undefined);
      if (signal.aborted) return;
      if (this.#leftMs === 0) return lost();
      const asked = this.#ask(false, Math.min(pauseMs, this.#leftMs));
      const { retryMs } = await asked.catch((): Partial<Offer> => ({}));
      if (signal.aborted) return;
      if (retryMs !== undefined) return lost();
    }
  }

  get #leftMs(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** Does not wait for the answer: what comes next is not to. */
  giveBack(): void {
    if (this.#leaseMs === undefined) return;
    this.#leaseMs = undefined;
    const { sha256 } = this.#wanted;
    this.#room.call('drop_package', { sha256 }, { timeoutMs: GIVE_BACK_MS }).catch(() => undefined);
  }

  async #ask(again: boolean, timeoutMs: number): Promise<Offer> {
    const asked = performance.now();
    const { sha256 } = this.#wanted;
    const answer = check(offer, await this.#room.call('get_package', { sha256, again }, { timeoutMs }));
    if (answer.retryMs === undefined) {
      this.#leaseMs = answer.leaseMs;
      this.#until = asked + (answer.leaseMs ?? 0);
    }
    return answer;
  }
}
