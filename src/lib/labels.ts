import { z } from 'zod';

/** What operators call hosts by: names with a value each, such as `role=replica`. */
export type Labels = Record<string, string>;
/** To be given, or taken away where it is null. */
export type LabelChanges = Record<string, string | null>;

export const LABEL_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/;
const MAX_LABELS = 32;
/** In a target these words mean something else. */
const RESERVED = /^(all|not|version|status|fact\..*)$/;

const value = z.string().min(1).max(128);
const few = (all: object) => Object.keys(all).length <= MAX_LABELS;
const FEW = `at most ${MAX_LABELS} labels`;

/** Not as the keys' own schema: of a key that it refuses one is told nothing but that. */
function named(all: object, context: z.RefinementCtx): void {
  for (const name of Object.keys(all)) {
    const message = whyNot(name);
    if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
  }
}

function whyNot(name: string): string | undefined {
  if (RESERVED.test(name)) return 'a target means something else by this name';
  return LABEL_NAME.test(name)
    ? undefined
    : 'no name of a label: letters, digits and _ . - after a letter, at most 63';
}

export const labels = z.record(z.string(), value).superRefine(named).refine(few, FEW);
export const labelChanges = z.record(z.string(), value.nullable()).superRefine(named).refine(few, FEW);

/** Pure. Undefined when they would be more than a host may have. */
export function changedLabels(before: Labels, changes: LabelChanges): Labels | undefined {
  const all = Object.entries({ ...before, ...changes });
  const after = Object.fromEntries(all.filter((one): one is [string, string] => one[1] !== null));
  return few(after) ? after : undefined;
}
