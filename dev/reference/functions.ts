import type { ApiFunction } from '../../src/cli/answers.ts';
import { typeText } from '../../src/cli/api/schema.ts';

const HEAD = `/**
 * The functions of the dispatcher as scripts see them. Made by \`npm run docs\` from src/dispatcher/api, which the library
 * may not import; test/reference.test.ts fails where this is not what is there.
 */
`;

/** The text of src/lib/functions.ts: one line each for what a function takes and answers. */
export function functionsFile(functions: ApiFunction[]): string {
  const each = functions.map(({ name, help, input, output }) =>
    [
      `  /** ${help.replaceAll('*/', '* /')} */`,
      `  ${name}: {`,
      `    args: ${typeText(input)};`,
      `    answer: ${typeText(output)};`,
      '  };',
    ].join('\n'),
  );
  return `${HEAD}export type Functions = {\n${each.join('\n')}\n};\n`;
}
