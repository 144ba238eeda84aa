import type { ApiFunction } from '../../src/cli/answers.ts';
import { argumentsOf, typeText } from '../../src/cli/api/schema.ts';
import { exampleOf } from '../../src/cli/api/show.ts';

/** What stands above this line in docs/api.md is written by hand. */
export const MARK = '<!-- Made by npm run docs from src/dispatcher/api. Write above this line. -->';

/** docs/api.md with its lower part made anew. */
export function apiDocument(before: string, functions: ApiFunction[]): string {
  const head = before.split(MARK)[0]!.trimEnd();
  return `${head}\n\n${MARK}\n\n${overview(functions)}\n${functions.map(section).join('\n')}`;
}

function overview(functions: ApiFunction[]): string {
  const rows = functions.map(
    ({ name, callers, effect }) => `| [${name}](#${name}) | ${callers.join(', ')} | ${effect} |`,
  );
  return ['## Functions', '', '| function | who may call | effect |', '|---|---|---|', ...rows, ''].join(
    '\n',
  );
}

function section(one: ApiFunction): string {
  const all = argumentsOf(one.input);
  const rows = all.map((each) => {
    const given = each.required ? 'required' : each.default === '' ? '' : code(each.default);
    return `| \`${each.name}\` | ${code(each.type)} | ${given} |`;
  });
  const taken =
    all.length === 0 ? ['No arguments.'] : ['| argument | type | default |', '|---|---|---|', ...rows];
  const answer = `Answer: \`${typeText(one.output)}\``;
  const example = ['```sh', exampleOf(one), '```'];
  const who = `For ${one.callers.join(', ')}; ${one.effect}.`;
  return [`### ${one.name}`, '', one.help, '', who, '', ...taken, '', answer, '', ...example, ''].join('\n');
}

/** A bar would end the table's cell. */
const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;
