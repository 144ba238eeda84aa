import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readIfThere } from '../lib/files.ts';

/** The folder of this project: where the package.json of that name is, above src/ or dist/js/. */
export function projectRoot(): string {
  for (let at = import.meta.dirname; at !== dirname(at); at = dirname(at)) {
    const text = readIfThere(join(at, 'package.json'));
    if (text !== undefined && JSON.parse(text).name === 'mega-fleet') return at;
  }
  throw new Error(`no package.json of mega-fleet above ${import.meta.dirname}: install it anew`);
}

export function ownVersion(): string {
  return JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')).version as string;
}
