import { codeOf, MegaError, UnavailableError } from '../errors.ts';
import { retry } from '../retry.ts';
import { withDeadline } from '../utils.ts';
import type { Connection, Driver } from './driver.ts';
import { kindOf } from './kinds.ts';
import { told } from './told.ts';

export type LendOptions = { where: string; timeoutMs: number; patienceMs: number };

/** What is under way gets so long to end when the pool is closed. */
const CLOSE_MS = 5_000;
const AGAIN_MS = { minTimeoutMs: 50, maxTimeoutMs: 1_000 };
/** More than patience lets happen. */
const MANY = 10_000;

/**
 * Lends connections of a pool.
 *
 * INVARIANTS
 * - A connection on which an answer is missing is ended, never lent again: the driver would wait for that answer for
 *   ever, and the next one who asks would wait behind it.
 * - After `close` nothing is lent, and what was lent has been given back or was ended.
 */
export class Lender {
  #driver: Driver;
  #options: LendOptions;
  #wasThere = false;
  #lent = 0;
  #idle = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  constructor(driver: Driver, options: LendOptions) {
    this.#driver = driver;
    this.#options = options;
  }

  async lend<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.take();
    let broken = false;
    try {
      return await work(connection);
    } catch (error) {
      broken = error instanceof UnavailableError;
      throw error;
    } finally {
      this.giveBack(connection, broken);
    }
  }

  /** For who gives it back himself. */
  async take(): Promise<Connection> {
    this.#refuseIfClosed();
    this.#lent++;
    try {
      const connection = await this.#connect().catch((error: Error) => this.#connectAgain(error));
      this.#wasThere = true;
      return connection;
    } catch (error) {
      this.#returned();
      throw error;
    }
  }

  #connectAgain(error: Error): Promise<Connection> {
    const until = performance.now() + this.#options.patienceMs;
    const again = (why: Error) => isAway(why) && performance.now() < until && this.#closing === undefined;
    if (!this.#wasThere || !again(error)) throw error;
    return retry(() => this.#connect(), { retries: MANY, ...AGAIN_MS, when: again });
  }

  giveBack(connection: Connection, broken: boolean): void {
    if (broken) connection.destroy();
    else connection.release();
    this.#returned();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const late = () => new Error('late');
    if (this.#lent > 0) await withDeadline(this.#idle.promise, CLOSE_MS, late).catch(() => undefined);
    await withDeadline(this.#driver.pool.end(), CLOSE_MS, late).catch(() => undefined);
    this.#driver.destroyAll();
  }

  async #connect(): Promise<Connection> {
    const { where, timeoutMs } = this.#options;
    const asked = this.#driver.pool.getConnection();
    let late = false;
    const tooLate = () => {
      late = true;
      return new UnavailableError('database_unavailable', `no connection to ${where} in ${timeoutMs} ms`);
    };
    asked.then((connection) => late && connection.release()).catch(() => undefined);
    return withDeadline(asked, timeoutMs, tooLate).catch((cause: unknown) => {
      this.#refuseIfClosed();
      throw told(cause, where, 'connecting', false);
    });
  }

  #returned(): void {
    this.#lent--;
    if (this.#lent === 0 && this.#closing) this.#idle.resolve();
  }

  #refuseIfClosed(): void {
    if (this.#closing) throw new MegaError('closed', `the connections to ${this.#options.where} were closed`);
  }
}

/** Nothing was sent, and a server that starts again may be there soon. One that ends cuts off who just connects. */
function isAway(error: Error): boolean {
  const kind = kindOf(error.cause);
  return codeOf(error) === 'database_unavailable' && (kind === 'away' || kind === 'lost');
}
