import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiFunction } from '../src/cli/answers.ts';
import { described } from '../src/dispatcher/api/described.ts';
import { functions } from '../src/dispatcher/api/registry.ts';
import { apiDocument } from './reference/api.ts';
import { functionsFile } from './reference/functions.ts';

const root = join(import.meta.dirname, '..');

/** What is made from the registry, by path: the reference for people, and the types for scripts. */
export function madeFiles(): Map<string, string> {
  const all = [...functions.values()].map((one) => described(one) as ApiFunction);
  const document = join(root, 'docs/api.md');
  return new Map([
    [document, apiDocument(readFileSync(document, 'utf8'), all)],
    [join(root, 'src/lib/functions.ts'), functionsFile(all)],
  ]);
}
