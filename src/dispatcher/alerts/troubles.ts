import { describe } from '../../lib/errors.ts';
import { formatDuration, get_host_name } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import { raiseAlert, remindOf } from './raise.ts';

type Trouble = { startedAt: Date; since: number; triedAt: number; reason: string };

const TRY_EVERY_MS = 60_000;
const REMIND_EVERY_MS = 3_600_000;

/**
 * What this dispatcher could not do for longer than a while, such as a loop whose steps fail. Telling it never holds up
 * the work. While the database is away itself it stands in the log alone; that it was is told once it is back.
 */
export class Troubles {
  #context: Pick<Context, 'db' | 'config' | 'logger'>;
  #going = new Map<string, Trouble>();

  constructor(context: Pick<Context, 'db' | 'config' | 'logger'>) {
    this.#context = context;
  }

  /** The same step, whose failing is noted. */
  watch(what: string, step: () => Promise<void>): () => Promise<void> {
    return async () => {
      try {
        await step();
      } catch (error) {
        this.note(what, error);
        throw error;
      }
      this.note(what);
    };
  }

  /** It failed, or without an error: it is well. */
  note(what: string, error?: unknown): void {
    const now = performance.now();
    const known = this.#going.get(what);
    if (error === undefined) {
      this.#going.delete(what);
      if (known && this.#isLong(known)) void this.#tellEnd(what, known);
      return;
    }
    const trouble = known ?? {
      startedAt: new Date(),
      since: now,
      triedAt: Number.NEGATIVE_INFINITY,
      reason: '',
    };
    trouble.reason = describe(error);
    this.#going.set(what, trouble);
    if (!this.#isLong(trouble) || now - trouble.triedAt < TRY_EVERY_MS) return;
    trouble.triedAt = now;
    void this.#tell(what, trouble);
  }

  #isLong({ since }: Trouble): boolean {
    return performance.now() - since >= this.#context.config.alerts.troubleAfterMs;
  }

  async #tell(what: string, { startedAt, reason }: Trouble): Promise<void> {
    const text = `has not been done since ${startedAt.toISOString()}: ${reason}`;
    await this.#orLog(text, () =>
      remindOf(this.#context.db, { kind: 'trouble', about: aboutOf(what), text }, REMIND_EVERY_MS),
    );
  }

  async #tellEnd(what: string, { startedAt, since, reason }: Trouble): Promise<void> {
    const lasted = formatDuration(performance.now() - since);
    const text = `is done again; it was not for ${lasted} from ${startedAt.toISOString()} on: ${reason}`;
    await this.#orLog(text, () =>
      raiseAlert(this.#context.db, { kind: 'trouble', about: aboutOf(what), text }),
    );
  }

  async #orLog(text: string, raise: () => Promise<void>): Promise<void> {
    try {
      await raise();
    } catch (error) {
      this.#context.logger.error(
        { text, error: describe(error) },
        'a trouble could not be told: no database',
      );
    }
  }
}

const aboutOf = (what: string) => `${get_host_name()}, ${what}`;
