import type { DispatcherConfig } from '../../lib/config.ts';
import type { Queryable } from '../../lib/conn.ts';
import { codeOf, describe } from '../../lib/errors.ts';
import { keyFromBase64, keyId } from '../../lib/trust/keys.ts';
import { aboutOf, targetsOf, verifyRoot, verifySigned } from '../../lib/trust/metadata.ts';
import { orderKeysIn } from '../../lib/trust/targets.ts';
import { remindOfEnd } from '../alerts/expiring.ts';
import { remindOf } from '../alerts/raise.ts';
import type { Context } from '../context.ts';
import { addMetadata, lockMetadata, newestMetadata, type Stored } from '../store/trust.ts';
import { type OnlineSigner, renewOnline } from './online.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** A day, as far as those who look each hour can tell. */
const REMIND_MS = DAY_MS - HOUR_MS;
/** In this part of a timestamp's life it is looked at once. */
const LOOKS_A_LIFE = 10;
const MOST_MS = 60_000;

export const signerOf = ({ keys, timestampLifeMs, snapshotLifeMs }: DispatcherConfig): OnlineSigner => ({
  ...{ key: keyFromBase64(keys.online), timestampLifeMs, snapshotLifeMs },
});

export const watchMs = ({ timestampLifeMs }: DispatcherConfig) =>
  Math.min(MOST_MS, timestampLifeMs / LOOKS_A_LIFE);

/**
 * Keeps the metadata fresh, and says well ahead what only people can do: the holders of the offline keys. Each
 * dispatcher does so by itself; the lock of the metadata lets one sign at a time, and the others find it done.
 */
export class MetadataWatch {
  #context: Context;
  #signer: OnlineSigner;
  /** The newest that this process has seen: less than that is a database restored from a backup. */
  #seen = { timestamp: Number.POSITIVE_INFINITY, targets: 0 };
  #toldAt = new Map<string, number>();

  constructor(context: Context) {
    this.#context = context;
    this.#signer = signerOf(context.config);
  }

  async step(): Promise<void> {
    const { db, config } = this.#context;
    await db.transaction(async (tx) => {
      await lockMetadata(tx);
      if (await newestMetadata(tx, 'root')) return;
      if (config.firstMetadata) await addFirst(tx, config.firstMetadata);
    });
    await this.#renew();
    await this.#lookAhead();
  }

  /** At its start always, since only then a database that was restored before can not be told from any other. */
  async #renew(): Promise<void> {
    const { db } = this.#context;
    try {
      await db.transaction(async (tx) => {
        const now = await lockMetadata(tx);
        const stored = (await newestMetadata(tx, 'timestamp'))?.version ?? 0;
        await renewOnline(tx, now, this.#signer, stored < this.#seen.timestamp);
      });
      this.#seen.timestamp = (await newestMetadata(db, 'timestamp'))?.version ?? 0;
    } catch (error) {
      if (codeOf(error) !== 'wrong_online_key') throw error;
      await this.#tellTrouble('online', `nothing is signed: ${describe(error)}`);
    }
  }

  async #lookAhead(): Promise<void> {
    const { db, config } = this.#context;
    const root = await newestMetadata(db, 'root');
    const targets = await newestMetadata(db, 'targets');
    if (!root || !targets) {
      const text = 'no metadata is signed yet, so that hosts obey nobody: mega keys push';
      return this.#tellTrouble('nothing', text);
    }
    await this.#expiry('root', root);
    await this.#expiry('targets', targets);
    if (targets.version < this.#seen.targets) {
      await this.#tellTrouble(
        'behind',
        `the targets went back from version ${this.#seen.targets} to ${targets.version}, and hosts will refuse them: mega keys push`,
      );
    } else this.#seen.targets = targets.version;
    const own = keyId(keyFromBase64(config.keys.orders));
    if (!orderKeysIn(targetsOf(targets.body)).has(own)) {
      await this.#tellTrouble(
        'orders',
        `the orders key ${own.slice(0, 8)} of this dispatcher is not signed, so that hosts refuse its orders: start it with the dispatcher.json that mega keys rotate orders wrote`,
      );
    }
  }

  async #expiry(role: 'root' | 'targets', { body }: Stored): Promise<void> {
    const { db, config } = this.#context;
    const { expires } = aboutOf(role, body);
    const leftMs = expires.getTime() - Date.now();
    if (leftMs >= config.expiryWarningMs) return;
    const day = expires.toISOString().slice(0, 10);
    const isOver = leftMs < 0;
    const when = isOver
      ? `expired on ${day}, and no host is upgraded`
      : `expires in ${Math.ceil(leftMs / DAY_MS)} days, on ${day}`;
    const text = `${role}.json ${when}: renew it with the offline keys: mega keys renew ${role}`;
    if (!this.#log(isOver ? 'error' : 'warn', role, isOver ? HOUR_MS : DAY_MS, text)) return;
    await remindOfEnd(db, `${role}.json`, expires, text);
  }

  async #tellTrouble(about: string, text: string): Promise<void> {
    if (!this.#log('error', about, HOUR_MS, text)) return;
    await remindOf(this.#context.db, { kind: 'trouble', about: `metadata, ${about}`, text }, REMIND_MS);
  }

  /** Not more often than that; whether it was. */
  #log(level: 'warn' | 'error', about: string, everyMs: number, text: string): boolean {
    const key = `${level} ${about}`;
    if (performance.now() - (this.#toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < everyMs) return false;
    this.#toldAt.set(key, performance.now());
    this.#context.logger[level]({ trust: about }, text);
    return true;
  }
}

async function addFirst(tx: Queryable, first: { roots: string[]; targets: string }): Promise<void> {
  for (const [i, root] of first.roots.entries()) {
    verifyRoot(first.roots[i - 1], root);
    await addMetadata(tx, 'root', i + 1, root);
  }
  verifySigned(first.roots.at(-1)!, 'targets', first.targets);
  await addMetadata(tx, 'targets', aboutOf('targets', first.targets).version, first.targets);
}
