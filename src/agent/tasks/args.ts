import type { z } from 'zod';
import { describe } from '../../lib/errors.ts';
import { check } from '../../lib/messages.ts';
import { Refusal } from '../upgrade/refusal.ts';

/** What an order asks; the dispatcher has looked at it as well, but it is for the host to refuse. */
export function argsOf<S extends z.ZodType>(schema: S, args: object): z.infer<S> {
  try {
    return check(schema, args);
  } catch (error) {
    throw new Refusal('bad_argument', `the order is not understood: ${describe(error)}`);
  }
}
