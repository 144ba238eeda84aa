import { span } from '../text.ts';

/** What was longer ago says nothing about now. */
const WINDOW_MS = 5 * 60_000;
/** From two looks right after one another nothing follows. */
const LEAST_MS = 3_000;

type Sample = { at: number; ended: number };

/**
 * How fast hosts end, from looks at how many have ended. Each wave is measured by itself: what a canary took says
 * nothing about a thousand hosts at once.
 */
export class Pace {
  #wave = 0;
  #samples: Sample[] = [];
  #movedAt = 0;

  /** `at` in ms of any steady clock; `begun` ago the wave began, where that is known. */
  see(at: number, wave: number, ended: number, begunMs?: number): void {
    if (wave !== this.#wave) {
      this.#wave = wave;
      this.#samples = begunMs === undefined ? [] : [{ at: at - begunMs, ended: 0 }];
    }
    if (this.#samples.at(-1)?.ended !== ended) this.#movedAt = at;
    this.#samples.push({ at, ended });
    const old = this.#samples.findLastIndex((one) => one.at < at - WINDOW_MS);
    if (old > 0) this.#samples.splice(0, old);
  }

  /** Hosts in a minute; undefined while nothing follows from what was seen. */
  get perMinute(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.at - first.at < LEAST_MS) return undefined;
    return Math.max(0, ((last.ended - first.ended) / (last.at - first.at)) * 60_000);
  }

  /** How long we have seen none end. */
  get stillMs(): number {
    return Math.max(0, (this.#samples.at(-1)?.at ?? 0) - this.#movedAt);
  }
}

/** `103 hosts a minute`, `0.4 hosts a minute` */
export function rateOf(perMinute: number): string {
  return `${perMinute >= 10 ? Math.round(perMinute) : perMinute.toFixed(1)} hosts a minute`;
}

/** What is left of a wave at this pace: `about 4 m`. */
export function timeLeft(hosts: number, perMinute: number): string | undefined {
  if (hosts === 0 || perMinute <= 0) return undefined;
  return `about ${span((hosts / perMinute) * 60_000)}`;
}
