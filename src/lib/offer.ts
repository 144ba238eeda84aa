import { z } from 'zod';
import { artifact, schemas } from './messages.ts';

/** The answer to `get_package`. What an older dispatcher does not say is optional. */
export const offer = z.object({
  /** Null: ask again, in `retryMs`, or soon where none is said. */
  artifact: artifact.nullable(),
  /** Every place is taken: this host may not read, and is to ask again in about so long. */
  retryMs: z.int().min(0).optional(),
  reason: schemas.reason.optional(),
  /** The host may read for so long after asking; asking again in time, while it reads, renews it. */
  leaseMs: z.int().min(1).optional(),
});
export type Offer = z.infer<typeof offer>;
