import { MegaError } from '../../lib/errors.ts';

/** The agent refuses: nothing was done. `postponed`: a check of this host's owner says not now. */
export class Refusal extends MegaError {
  readonly postponed: boolean;
  constructor(code: string, message: string, postponed = false) {
    super(code, message);
    this.postponed = postponed;
  }
}
