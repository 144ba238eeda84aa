import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { isLong } from './long.ts';

/** What breaks out of SQL, shells, paths, formats and terminals, and what no column or buffer expects. */
export const HOSTILE: readonly unknown[] = [
  `'; DROP TABLE hosts; -- `,
  `" OR ""="`,
  `x\\' UNION SELECT secret FROM users #`,
  '%_%',
  '$(touch /tmp/mega-was-here); `reboot` | rm -rf / &',
  '../../../etc/passwd',
  '\u0000\u001b[2J\u001b]0;owned\u0007\u009b31m\r\n\u202e',
  '日本語 🦄 \ud800 ß ı',
  '{{7*7}} %s %n %1$s',
  '__proto__',
  'x'.repeat(70_000),
  '',
  null,
  -1,
  2 ** 70,
  ['x'],
  { toString: 'x', $ne: null },
];

/** Of the values, a share is tried at each place and another at the next; all of them at each in the long form. */
const SHARE = 4;
let place = 0;

type Schema = {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
  minItems?: number;
  pattern?: string;
  format?: string;
  minimum?: number;
  minLength?: number;
};
type Path = (string | number)[];

export const schemaOf = (type: z.ZodType): Schema =>
  z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }) as Schema;

/**
 * Values that fit a schema but for one place, which holds something hostile: for each string in it, wherever that lies,
 * and each hostile value. `known` are words that fit where a pattern wants one.
 */
export function* hostileTo(schema: Schema, known: string[]): Generator<{ at: string; value: unknown }> {
  for (const variant of schema.oneOf ?? schema.anyOf ?? [schema]) {
    for (const path of stringsIn(variant)) {
      place++;
      for (const bad of HOSTILE.filter((_, i) => isLong || (i + place) % SHARE === 0)) {
        const value = structuredClone(sample(variant, known, path));
        yield { at: path.join('.'), value: put(value, path, bad) };
      }
    }
  }
}

/** Where strings stand, and whatever may hold any value; names of fields that may be any are `*`. */
function* stringsIn(schema: Schema, at: Path = []): Generator<Path> {
  for (const [name, inner] of Object.entries(schema.properties ?? {})) yield* stringsIn(inner, [...at, name]);
  for (const variant of schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []) yield* stringsIn(variant, at);
  if (schema.items) yield* stringsIn(schema.items, [...at, 0]);
  if (typeof schema.additionalProperties === 'object') yield [...at, '*'];
  if (schema.const === undefined && (schema.type === 'string' || Object.keys(schema).length === 0)) yield at;
}

/** What fits: all that must be there, and what the path to the hostile place needs. */
function sample(schema: Schema, known: string[], needed: Path = []): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const variant = (schema.oneOf ?? schema.anyOf ?? schema.allOf)?.[0];
  if (variant) return sample(variant, known, needed);
  const [name, ...rest] = needed;
  if (schema.type === 'object') {
    const wanted = Object.entries(schema.properties ?? {}).filter(
      ([one]) => schema.required?.includes(one) || one === name,
    );
    return Object.fromEntries(
      wanted.map(([one, inner]) => [one, sample(inner, known, one === name ? rest : [])]),
    );
  }
  if (schema.type === 'array') return [sample(schema.items ?? {}, known, rest)];
  if (schema.type === 'string') return wordFor(schema, known);
  if (schema.type === 'boolean') return true;
  if (schema.type === 'integer' || schema.type === 'number') return Math.max(schema.minimum ?? 1, 1);
  return {};
}

function wordFor({ pattern, format, minLength = 1 }: Schema, known: string[]): string {
  if (format === 'uuid') return randomUUID();
  const fits = (word: string) => word.length >= minLength && (!pattern || new RegExp(pattern).test(word));
  return known.find(fits) ?? 'x'.repeat(minLength);
}

function put(value: unknown, [name, ...rest]: Path, bad: unknown): unknown {
  if (name === undefined) return bad;
  if (name === '*') return { [typeof bad === 'string' ? bad.slice(0, 200) : 'x']: bad };
  const inside = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string | number,
    unknown
  >;
  inside[name] = put(inside[name], rest, bad);
  return inside;
}
