import { stripTypeScriptTypes } from 'node:module';
import { type Finding, finding, product, type Rule } from './finding.ts';
import { lineAt, type SourceFile, source } from './source.ts';

export const maxFileLines = 250;
export const maxFunctionLines = 60;

/** Files that may be longer, with the reason: what must arrive on a host as one file, say. */
const longFiles: Readonly<Record<string, string>> = {
  'src/agent/loader.sh': 'the loader is one script, which needs nothing beside it to go back',
  'src/lib/functions.ts': 'npm run docs makes it from the registry: one type for each function',
};

/** Functions that may be longer, as `path#name` with the reason. It is empty and wants to stay so. */
const longFunctions: Readonly<Record<string, string>> = {};

export const smallFiles: Rule = (files) => {
  const found: Finding[] = [];
  for (const file of files) {
    if (!file.path.startsWith('src/') || file.path in longFiles) continue;
    const lines = lineAt(file.text, file.text.trimEnd().length);
    if (lines <= maxFileLines) continue;
    const what = `${lines} lines, more than ${maxFileLines}`;
    found.push(
      finding(file, file.text.length - 1, 'small-files', what, 'split it: a file is one noun or one verb'),
    );
  }
  return found;
};

export const smallFunctions: Rule = (files) =>
  product(files).flatMap((file) =>
    functionsOf(file)
      .filter(({ lines, name }) => lines > maxFunctionLines && !(`${file.path}#${name}` in longFunctions))
      .map(({ lines, name, start }) => {
        const what = `${name} has ${lines} lines, more than ${maxFunctionLines}`;
        return finding(file, start, 'small-functions', what, 'name its steps as functions of their own');
      }),
  );

export interface FunctionSize {
  readonly name: string;
  readonly start: number;
  readonly lines: number;
}

/** Words before `(…) {` that make it a block and not a function. */
const blockWords = /\b(?:if|for|while|switch|catch|with|await)$/;

/**
 * Every function that has a body in braces, nested ones too, from its parameters to its closing brace.
 *
 * Types are erased first (Node puts blanks in their place, so lines stay), which leaves two shapes of body:
 * `(…) {` and `=> {`.
 */
export function functionsOf(file: SourceFile): FunctionSize[] {
  const text = withoutTypes(file);
  const { code } = source({ path: file.path, text });
  const pairs = matchingBrackets(code);
  const found: FunctionSize[] = [];
  for (const [open, close] of pairs) {
    if (code[open] !== '{') continue;
    const head = code.slice(0, open).trimEnd();
    const start = head.endsWith('=>') ? arrowStart(head, pairs) : methodStart(code, head, pairs);
    if (start === undefined) continue;
    const lines = lineAt(code, close) - lineAt(code, start) + 1;
    found.push({ name: nameBefore(code.slice(0, start)), start, lines });
  }
  return found;
}

function withoutTypes(file: SourceFile): string {
  try {
    return stripTypeScriptTypes(file.text);
  } catch (cause) {
    throw new Error(`${file.path} cannot be read as TypeScript: see the cause`, { cause });
  }
}

type Pairs = ReadonlyMap<number, number>;

/** Keyed by the opening bracket, and by the closing one for parentheses, which are looked up from behind. */
function matchingBrackets(code: string): Pairs {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (let i = 0; i < code.length; i++) {
    const char = code[i]!;
    if ('({['.includes(char)) open.push(i);
    else if (')}]'.includes(char)) {
      const from = open.pop();
      if (from === undefined) continue;
      pairs.set(from, i);
      if (char === ')') pairs.set(i, from);
    }
  }
  return pairs;
}

function methodStart(code: string, head: string, pairs: Pairs): number | undefined {
  if (!head.endsWith(')')) return undefined;
  const start = pairs.get(head.length - 1);
  return start === undefined || blockWords.test(code.slice(0, start).trimEnd()) ? undefined : start;
}

function arrowStart(head: string, pairs: Pairs): number {
  const parameters = head.slice(0, -2).trimEnd();
  if (parameters.endsWith(')')) return pairs.get(parameters.length - 1) ?? parameters.length - 1;
  return parameters.length - /[\w$]*$/.exec(parameters)![0].length;
}

function nameBefore(before: string): string {
  const words = before.slice(-120).trimEnd();
  const name = /([\w$]+)\s*[:=]\s*(?:async)?$/.exec(words)?.[1] ?? /([\w$]+)$/.exec(words)?.[1];
  return name === undefined || name === 'function' || name === 'async' ? 'a function' : name;
}
