import { uuidv7 } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import { areSomeAway, takeBack, takeLost } from '../store/absences.ts';
import { raiseAlerts } from './raise.ts';

const HOSTS_A_ROUND = 1_000;

/**
 * Tells of hosts that are lost, and of those that are back.
 *
 * INVARIANTS
 * - A host is lost when it was not heard of for `lostAfterMs` and has not said goodbye; it is back only where it was
 *   told to be lost. Each is told once, by whichever dispatcher has the host's row in hand.
 * - An outage is no lost host (I5): silence counts only while this dispatcher was listening, and writing down what it
 *   heard, for all that time; and while the broker takes messages. One with an alarm delivers and takes none, so that
 *   hosts would seem silent: it is asked, from the first host that is away on.
 */
export class Absences {
  #context: Context;
  /** Since when the broker takes messages, as far as we have asked. */
  #takingSince: number | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** `steadyMs`: for how long this dispatcher has been hearing hosts without a break. */
  async step(steadyMs: number): Promise<void> {
    const { db, config } = this.#context;
    await this.#tell((limit) => this.#tellBack(limit));
    if (!(await areSomeAway(db)) || !(await this.#doesBrokerTake())) {
      this.#takingSince = undefined;
      return;
    }
    this.#takingSince ??= performance.now();
    // So long after an alarm each host that is there has been heard again.
    const takingMs = performance.now() - this.#takingSince;
    if (steadyMs <= config.alerts.lostAfterMs || takingMs < config.offlineAfterMs) return;
    await this.#tell((limit) => this.#tellLost(limit));
  }

  /** A round at a time, so that no transaction is long. */
  async #tell(some: (limit: number) => Promise<number>): Promise<void> {
    while ((await some(HOSTS_A_ROUND)) === HOSTS_A_ROUND);
  }

  #tellLost(limit: number): Promise<number> {
    const { db, config } = this.#context;
    return db.transaction(async (tx) => {
      const hosts = await takeLost(tx, config.alerts.lostAfterMs, limit);
      const alerts = hosts.map(({ id, lastSeenAt, cutOffReason }) => {
        const why = cutOffReason === null ? '' : `; it was cut off: ${cutOffReason}`;
        return {
          kind: 'host_lost' as const,
          about: id,
          text: `not heard of since ${told(lastSeenAt)}${why}`,
        };
      });
      await raiseAlerts(tx, alerts);
      return hosts.length;
    });
  }

  #tellBack(limit: number): Promise<number> {
    return this.#context.db.transaction(async (tx) => {
      const hosts = await takeBack(tx, limit);
      const alerts = hosts.map(({ id, lostAt, version }) => {
        const text = `is heard again, with version ${version ?? 'unknown'}; it counted as lost since ${told(lostAt)}`;
        return { kind: 'host_back' as const, about: id, text };
      });
      await raiseAlerts(tx, alerts);
      return hosts.length;
    });
  }

  async #doesBrokerTake(): Promise<boolean> {
    const asked = {
      exchange: '',
      key: 'mega.nowhere',
      type: 'probe',
      body: Buffer.from('{}'),
      transient: true,
    };
    return this.#context.publisher.publish({ ...asked, messageId: uuidv7() }).then(
      () => true,
      () => false,
    );
  }
}

const told = (at: Date) => `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
