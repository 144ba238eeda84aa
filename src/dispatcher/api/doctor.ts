import { z } from 'zod';
import { compare } from '../doctor/compare.ts';
import { look } from '../doctor/look.ts';
import { mendAll } from '../doctor/mend.ts';
import { ADMIN, fn } from './function.ts';

/** An answer must fit into one message. */
const MOST_TOLD = 1000;
/** Less than a call may last; what is left then is mended by the next call. */
const MEND_MS = 4_000;

export const doctor = fn({
  name: 'doctor',
  help: 'Compares users, permissions, limits, queues and bindings of the broker with the hosts and tokens of the database. With "fix" it mends what it can in a few seconds: call it again until "mended" is 0. It tells of 1000 differences at most.',
  callers: ADMIN,
  effect: 'changes',
  input: z.object({ fix: z.boolean().default(false) }),
  output: z.object({
    hosts: z.number(),
    tokens: z.number(),
    found: z.number(),
    mended: z.number(),
    differences: z.array(
      z.object({ subject: z.string(), problem: z.string(), remedy: z.string(), mended: z.boolean() }),
    ),
  }),
  handler: async (room, { fix }) => {
    const { broker, books } = await look(room);
    const found = compare(broker, books);
    const mended = fix ? await mendAll(room, found, MEND_MS) : new Set();
    const differences = found.map((one) => {
      const { subject, problem, remedy } = one;
      return { subject, problem, remedy, mended: mended.has(one) };
    });
    return {
      hosts: books.hosts.length,
      tokens: books.tokens.length,
      found: found.length,
      mended: mended.size,
      // What was mended comes first: of what is left the next call tells.
      differences: differences.toSorted((a, b) => Number(b.mended) - Number(a.mended)).slice(0, MOST_TOLD),
    };
  },
});
