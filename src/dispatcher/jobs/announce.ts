import type { Queryable } from '../../lib/conn.ts';
import type { Logger } from '../../lib/logs.ts';

export type News = {
  kind: 'job_paused' | 'job_failed' | 'job_finished';
  /** The job's id. */
  about: string;
  text: string;
};

/** What an operator wants to hear of who is not looking. `db`: the transaction in which it came about. */
export function announce({ logger }: { logger: Logger; db: Queryable }, { kind, about, text }: News): void {
  logger.info({ job: about, kind }, text);
}
