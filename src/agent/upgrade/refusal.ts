import { describe, MegaError } from '../../lib/errors.ts';
import type { Word } from '../said.ts';

/** The agent refuses: nothing was done. `postponed`: a check of this host's owner says not now. */
export class Refusal extends MegaError {
  readonly postponed: boolean;
  constructor(code: string, message: string, postponed = false) {
    super(code, message);
    this.postponed = postponed;
  }
}

/** How the task ends, of which nothing was done; undefined for any other error. */
export function refusalOf(error: unknown): Word | undefined {
  if (!(error instanceof Refusal)) return undefined;
  return { state: 'rejected', reason: describe(error), ...(error.postponed ? { phase: 'postponed' } : {}) };
}
