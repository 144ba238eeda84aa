import { z } from 'zod';
import type { Fn } from './function.ts';

/** What is told of a function to whoever may call it; schemas are JSON Schema. */
export const description = z.object({
  name: z.string(),
  help: z.string(),
  callers: z.array(z.string()),
  effect: z.enum(['reads', 'changes', 'part']),
  input: z.unknown(),
  output: z.unknown(),
});
export type Description = z.infer<typeof description>;

const known = new WeakMap<Fn, Description>();

/** Made once: a schema does not change. */
export function described(one: Fn): Description {
  const before = known.get(one);
  if (before) return before;
  const { name, help, callers, effect } = one;
  const input = z.toJSONSchema(one.input, { io: 'input', unrepresentable: 'any' });
  const output = z.toJSONSchema(one.output, { io: 'output', unrepresentable: 'any' });
  const made = { name, help, callers: [...callers], effect, input, output };
  known.set(one, made);
  return made;
}
