import { z } from 'zod';
import { check, proof, upgradeArgs } from '../../lib/messages.ts';
import type { Entry } from '../journal.ts';

/** What an upgrade remembers between processes; all of it additive, since the release before must read it (I2). */
const facts = z.object({
  /** How many trials were opened so far. */
  holds: z.number().default(0),
  /** The new process' proof, written before it closed the trial. */
  proof: proof.optional(),
  /** What kept the new process from reaching the broker, as it says itself; empty once it got through. */
  unreachable: z.string().optional(),
  /** Why the loader went back. */
  verdict: z.string().optional(),
});
export type Facts = z.infer<typeof facts>;

export const factsOf = (entry: Entry): Facts => check(facts, entry.facts, 'journal');
export const argsOf = (entry: Entry) => check(upgradeArgs, entry.order.args);
