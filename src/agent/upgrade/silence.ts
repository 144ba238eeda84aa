/**
 * How long a stream may still give nothing new. The time in which we ourselves hold the broker back is no silence:
 * neither after a new chunk (`broken`), nor while we read past chunks that we have (`excuse`), which is no sign of
 * life by itself. Pure; the clock is passed in, in ms.
 */
export class Patience {
  #idleMs: number;
  #until: number;

  constructor(idleMs: number, nowMs: number) {
    this.#idleMs = idleMs;
    this.#until = nowMs + idleMs;
  }

  /** Something new came, and the next is not to be expected for `waitMs`. */
  broken(waitMs: number, nowMs: number): void {
    this.#until = nowMs + waitMs + this.#idleMs;
  }

  /** Something came that was not new, and took so long by our own pace. */
  excuse(ms: number): void {
    this.#until += ms;
  }

  leftMs(nowMs: number): number {
    return this.#until - nowMs;
  }
}

/** Calls `noticed` when patience has run out; `stop` ends it. */
export class Silence {
  #patience: Patience;
  #noticed: () => void;
  #timer: NodeJS.Timeout;

  constructor(idleMs: number, noticed: () => void) {
    this.#patience = new Patience(idleMs, performance.now());
    this.#noticed = noticed;
    this.#timer = setTimeout(noticed, idleMs);
  }

  broken(waitMs: number): void {
    this.#patience.broken(waitMs, performance.now());
    this.#set();
  }

  excuse(ms: number): void {
    if (ms === 0) return;
    this.#patience.excuse(ms);
    this.#set();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #set(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#noticed, this.#patience.leftMs(performance.now()));
  }
}
