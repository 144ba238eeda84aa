import { z } from 'zod';

/** What operators call hosts by: names with a value each, such as `role=replica`. */
export type Labels = Record<string, string>;
/** To be given, or taken away where it is null. */
export type LabelChanges = Record<string, string | null>;

export const LABEL_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/;
const MAX_LABELS = 32;
/** In a target these words mean something else. */
const RESERVED = /^(all|not|version|status|fact\..*)$/;

const name = z
  .string()
  .regex(LABEL_NAME, "a label's name: letters, digits and _ . - after a letter, at most 63")
  .refine((text) => !RESERVED.test(text), 'a target means something else by this name');
const value = z.string().min(1).max(128);
const few = (all: object) => Object.keys(all).length <= MAX_LABELS;
const FEW = `at most ${MAX_LABELS} labels`;

export const labels = z.record(name, value).refine(few, FEW);
export const labelChanges = z.record(name, value.nullable()).refine(few, FEW);

/** Pure. Undefined when they would be more than a host may have. */
export function changedLabels(before: Labels, changes: LabelChanges): Labels | undefined {
  const all = Object.entries({ ...before, ...changes });
  const after = Object.fromEntries(all.filter((one): one is [string, string] => one[1] !== null));
  return few(after) ? after : undefined;
}
