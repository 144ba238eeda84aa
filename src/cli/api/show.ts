import type { ApiFunction } from '../answers.ts';
import { pairs, table } from '../table.ts';
import { quoted, wrap } from '../text.ts';
import { type Argument, argumentsOf, type Schema, typeText } from './schema.ts';

const WIDTH = 100;
const EFFECTS: Record<string, string> = {
  reads: 'reads',
  changes: 'changes; the audit has it',
  part: 'a step of a change, whose begin and end the audit has',
};

/** All that a caller of a function needs to know, with a call to begin with. */
export function functionText(one: ApiFunction): string {
  const all = argumentsOf(one.input);
  const about = pairs([
    ['function', one.name],
    ['callers', one.callers.join(', ')],
    ['effect', EFFECTS[one.effect] ?? one.effect],
  ]);
  const taken = all.length === 0 ? 'It takes no arguments.\n' : table(all, COLUMNS);
  const answer = wrap(`It answers: ${typeText(one.output)}`, WIDTH);
  return [about, `${wrap(one.help, WIDTH)}\n`, taken, `${answer}\n`, `Example:\n  ${exampleOf(one)}\n`].join(
    '\n',
  );
}

const COLUMNS = [
  { title: 'ARGUMENT', cell: (one: Argument) => one.name },
  { title: 'TYPE', cell: (one: Argument) => one.type },
  { title: 'DEFAULT', cell: (one: Argument) => (one.required ? 'required' : one.default) },
];

/** With the required arguments alone. */
export function exampleOf({ name, input }: Pick<ApiFunction, 'name' | 'input'>): string {
  const values = Object.fromEntries(
    argumentsOf(input)
      .filter((one) => one.required)
      .map((one) => [one.name, valueFor(one.name, input.properties?.[one.name] ?? {})]),
  );
  const given = JSON.stringify(values);
  return `mega api call ${name}${given === '{}' ? '' : ` ${quoted(given)}`}`;
}

const EXAMPLES: Record<string, unknown> = { host: 'db-01', on: ['all'] };

function valueFor(name: string, schema: Schema): unknown {
  if (name in EXAMPLES) return EXAMPLES[name];
  if (schema.enum) return schema.enum[0];
  const { type } = schema.anyOf?.[0] ?? schema;
  if (type === 'integer' || type === 'number') return 1;
  if (type === 'array') return [];
  if (type === 'object') return {};
  return type === 'boolean' ? true : '...';
}
