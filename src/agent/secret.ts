import { renameDurably } from '../lib/files.ts';
import type { Home } from '../lib/home.ts';
import { readIdentity, writeIdentity } from '../lib/identity.ts';
import { newSecret } from '../lib/management.ts';

/**
 * The secret by which this host gets into the broker, and while it is exchanged, the next one.
 *
 * INVARIANTS
 * - A next secret is on disk before anybody is told of it, and becomes the secret only once the broker knows it: of
 *   the two on disk the broker always knows one. Whichever of them it refuses, the other is tried.
 * - A next secret is never given up for another one: a word of it that comes late says what is so.
 */
export class Secret {
  #home: Home;
  #host: string;
  #triesNext = false;

  constructor(home: Home, host: string) {
    this.#home = home;
    this.#host = host;
  }

  /** What to try now. */
  get current(): string {
    const next = this.#triesNext ? this.next : undefined;
    return next ?? readIdentity(this.#home.identity)?.secret ?? '';
  }

  /** Undefined while none is to follow. */
  get next(): string | undefined {
    const found = readIdentity(this.#home.identityNext);
    return found?.host === this.#host ? found.secret : undefined;
  }

  makeNext(): string {
    const there = this.next;
    if (there !== undefined) return there;
    const secret = newSecret();
    writeIdentity(this.#home.identityNext, { host: this.#host, secret });
    return secret;
  }

  /** The broker knows the next one. */
  takeNext(): void {
    this.#triesNext = false;
    if (this.next !== undefined) renameDurably(this.#home.identityNext, this.#home.identity);
  }

  /** The broker has refused what we tried. */
  tryOther(): void {
    this.#triesNext = !this.#triesNext;
  }

  /** The broker has let us in. */
  accepted(): void {
    if (this.#triesNext) this.takeNext();
  }
}
