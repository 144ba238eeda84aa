import { InputError } from '../errors.ts';
import type { Param, Params } from './types.ts';

/** What is no place for a value (strings, names, comments), or one: `?` or `:name`, but not `@a := 1` or `::`. */
const TOKEN =
  /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|(?:--(?=\s|$)|#)[^\n]*|\/\*[\s\S]*?\*\/|\?|(?<![:\w]):(?<name>[A-Za-z_]\w*)/g;

/**
 * The statement with `?` in the place of each `:name`, and the values in their order. Errors: `bad_argument`, for a
 * name without a value, and for what SQL has no value for: `undefined` would quietly be NULL, and an object or an
 * empty list would change the statement.
 */
export function placed(sql: string, params: Params = []): { sql: string; values: Param[] } {
  if (Array.isArray(params)) {
    params.forEach((value, i) => {
      refuseUnlessValue(value, `parameter ${i + 1}`);
    });
    return { sql, values: params };
  }
  const values: Param[] = [];
  const text = sql.replace(TOKEN, (found, ...rest) => {
    const { name } = rest.at(-1) as { name?: string };
    if (found === '?') throw new InputError('bad_argument', 'a statement has either ? or :name, not both');
    if (name === undefined) return found;
    if (!Object.hasOwn(params, name)) throw new InputError('bad_argument', `:${name} is given no value`);
    refuseUnlessValue(params[name], `:${name}`);
    values.push(params[name] as Param);
    return '?';
  });
  return { sql: text, values };
}

function refuseUnlessValue(value: unknown, name: string): void {
  const problem = problemOf(value);
  if (problem) throw new InputError('bad_argument', `${name} is ${problem}`);
}

/** Rows of a bulk `VALUES ?` are lists in a list. */
const MAX_DEPTH = 2;

/** Why this is no value for a statement; undefined for one that is. It tells nothing of what the value holds. */
export function problemOf(value: unknown, depth = 0): string | undefined {
  if (value === undefined) return 'undefined: give null for NULL';
  if (typeof value === 'number' && !Number.isFinite(value)) return `${value}, which SQL does not know`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}, which is no value`;
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof Date || ArrayBuffer.isView(value)) return undefined;
  if (!Array.isArray(value)) return 'an object: give JSON.stringify of it, or one of its fields';
  if (value.length === 0) return 'an empty list, of which SQL makes a wrong statement';
  if (depth === MAX_DEPTH) return 'a list that is nested too deeply';
  for (const one of value) {
    const problem = problemOf(one, depth + 1);
    if (problem) return `a list, in which one is ${problem}`;
  }
  return undefined;
}
