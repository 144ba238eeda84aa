import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { describe, UnavailableError } from '../lib/errors.ts';
import type { Home } from '../lib/home.ts';
import type { Logger } from '../lib/logs.ts';
import { check } from '../lib/messages.ts';
import type { Call } from '../lib/sender.ts';
import { refreshTrust, trustedTargets } from '../lib/trust/client.ts';
import { type Target, targetsOf } from '../lib/trust/metadata.ts';
import { orderKeysIn } from '../lib/trust/targets.ts';

/** For so long a key that was not found is not asked for again: orders that nobody signed must not become calls. */
const PAUSE_MS = 10_000;
const ASK_TIMEOUT_MS = 10_000;

const metadata = z.object({ text: z.string().nullable() });

/**
 * Whom this host believes (I4): what the offline keys have signed, as it was last verified. The keys of orders are
 * known from the disk at start, whatever the age of the metadata (I5: expired metadata blocks upgrades, never an
 * agent); a key that is not known is looked for once.
 */
export class Trust {
  #at: { folder: string; builtInRoot: string };
  #call: Call;
  #logger: Logger;
  #keys: Map<string, KeyObject>;
  #refreshing: Promise<Target[]> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(home: Home, call: Call, logger: Logger) {
    this.#at = { folder: home.trust, builtInRoot: home.trustRoot };
    this.#call = call;
    this.#logger = logger;
    const known = trustedTargets(this.#at);
    this.#keys = known === undefined ? new Map() : orderKeysIn(targetsOf(known));
  }

  /** Whose orders are obeyed. Error: `no_answer` and its like, when that cannot be found out now. */
  readonly keyOf = async (kid: string): Promise<KeyObject | undefined> => {
    if (this.#keys.has(kid) || performance.now() - this.#lookedAt < PAUSE_MS) return this.#keys.get(kid);
    try {
      await this.targets();
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      this.#logger.error({ error: describe(error) }, 'whom to believe cannot be brought up to date');
    }
    this.#lookedAt = performance.now();
    return this.#keys.get(kid);
  };

  /**
   * What is signed now, fetched and verified anew. Errors: those of {@link refreshTrust}, and of the broker when no
   * dispatcher can be reached.
   */
  targets(): Promise<Target[]> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<Target[]> {
    const targets = targetsOf(await refreshTrust(this.#at, (name) => this.#fetch(name)));
    this.#keys = orderKeysIn(targets);
    return targets;
  }

  async #fetch(name: string): Promise<string | undefined> {
    const answer = await this.#call('get_metadata', { name }, { timeoutMs: ASK_TIMEOUT_MS });
    return check(metadata, answer).text ?? undefined;
  }
}
