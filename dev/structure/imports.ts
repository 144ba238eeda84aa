import { posix } from 'node:path';
import { type Finding, finding, isTypeScript, product } from './finding.ts';
import { inCode, type SourceFile, source } from './source.ts';

/**
 * Rules on who may import whom.
 *
 * Written here rather than left to dependency-cruiser, which reads TypeScript through the JavaScript API that
 * TypeScript 7 no longer has: over such a tree it finds no module at all, hence no breach either.
 */

export interface Import {
  readonly file: SourceFile;
  readonly offset: number;
  readonly specifier: string;
  /** Erased before it runs: cannot take part in a circle of loading. */
  readonly typeOnly: boolean;
  /** Path of a relative import from the root of the repository; undefined for a package. */
  readonly path: string | undefined;
}

// None of the characters left out here can stand between the keyword and `from`, so no match runs on into another statement.
const statement =
  /\b(?:import|export)(?<type>\s+type\b(?!\s*(?:from|,)))?(?:\s|\{|\*)[^'"`;()=]*?(?<=[\s}*])from\s*['"]/g;
const sideEffect = /\bimport\s*['"]/g;
const call = /\b(?:import|require|require\.resolve|import\.meta\.resolve)\s*\(\s*['"`]/g;

export function importsOf(file: SourceFile): Import[] {
  const src = source(file);
  const found: Import[] = [];
  for (const pattern of [statement, sideEffect, call]) {
    for (const match of inCode(src, pattern)) {
      const start = match.index + match[0].length;
      const specifier = /^[^'"`\n]*/.exec(src.bare.slice(start))![0];
      const path = specifier.startsWith('.') ? posix.join(posix.dirname(file.path), specifier) : undefined;
      const typeOnly = match.groups?.type !== undefined;
      found.push({ file, offset: match.index, specifier, typeOnly, path });
    }
  }
  return found.sort((a, b) => a.offset - b.offset);
}

function breach(at: Import, rule: string, what: string, todo: string): Finding {
  return finding(at.file, at.offset, rule, what, todo);
}

/** No file may, by way of others, load itself. Imports of types alone are erased and do not count. */
export function noCircles(files: readonly SourceFile[]): Finding[] {
  const ours = files.filter((file) => isTypeScript(file) && /^(?:src|dev|test)\//.test(file.path));
  const edges = new Map<string, Import[]>();
  for (const file of ours) {
    edges.set(
      file.path,
      importsOf(file).filter((i) => !i.typeOnly && i.path !== undefined),
    );
  }
  const found: Finding[] = [];
  const finished = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    trail.push(path);
    for (const edge of edges.get(path) ?? []) {
      const to = edge.path!;
      if (trail.includes(to)) {
        const circle = [...trail.slice(trail.indexOf(to)), to].join(' → ');
        const todo = 'move what both need into a third file';
        found.push(breach(edge, 'no-circles', `this import closes a circle: ${circle}`, todo));
      } else if (!finished.has(to)) visit(to);
    }
    trail.pop();
    finished.add(path);
  };
  for (const path of edges.keys()) if (!finished.has(path)) visit(path);
  return found;
}

/** The parts of src/ and what each may import besides itself. */
const layers: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  agent: ['lib'],
  dispatcher: ['lib'],
  cli: ['lib'],
};

/** lib knows none of the others; agent, dispatcher and cli know only lib; src knows neither dev nor test. */
export function layersHold(files: readonly SourceFile[]): Finding[] {
  const rule = 'layers';
  const found: Finding[] = [];
  for (const at of product(files).flatMap(importsOf)) {
    if (at.path === undefined) continue;
    if (!at.path.startsWith('src/')) {
      if (at.path.endsWith('.json')) continue;
      const todo = 'what ships may not need what only develops or tests it: move it under src/';
      found.push(breach(at, rule, `src/ imports ${at.path}`, todo));
      continue;
    }
    const [from, to] = [layerOf(at.file.path), layerOf(at.path)];
    if (from === undefined || to === undefined || from === to || layers[from]!.includes(to)) continue;
    const todo = 'move what both need into src/lib, or let the two speak by messages';
    found.push(breach(at, rule, `src/${from} imports src/${to} (${at.path})`, todo));
  }
  return found;
}

function layerOf(path: string): string | undefined {
  const part = path.split('/')[1] ?? '';
  return part in layers ? part : undefined;
}

/** Packages that need no single owner: where they may be imported, and why. */
const shared: Readonly<Record<string, { readonly under: string; readonly reason: string }>> = {
  zod: { under: 'src/', reason: 'schemas are written where they belong' },
  commander: { under: 'src/cli/', reason: 'each command declares itself in a file of its own' },
};

/** Modules of Node that have one owner as an outside package has. */
const ownedModulesOfNode = new Set(['node:sqlite']);

/** What comes from outside has one owner, so that replacing or upgrading it is a change to one file. */
export function oneOwner(files: readonly SourceFile[]): Finding[] {
  const rule = 'one-owner';
  const found: Finding[] = [];
  const users = new Map<string, Map<string, Import>>();
  for (const at of product(files).flatMap(importsOf)) {
    const name = packageOf(at);
    if (name === undefined) continue;
    const exception = shared[name];
    if (exception === undefined) {
      const byFile = users.get(name) ?? new Map<string, Import>();
      if (!byFile.has(at.file.path)) byFile.set(at.file.path, at);
      users.set(name, byFile);
    } else if (!at.file.path.startsWith(exception.under)) {
      const what = `${name} is imported outside ${exception.under} (${exception.reason})`;
      found.push(breach(at, rule, what, `keep ${name} under ${exception.under}`));
    }
  }
  for (const [name, byFile] of users) {
    if (byFile.size < 2) continue;
    const all = [...byFile.keys()].join(', ');
    const todo = 'let one of them own it and export what the others need, types too';
    for (const at of byFile.values()) found.push(breach(at, rule, `${name} has many owners: ${all}`, todo));
  }
  return found;
}

function packageOf({ specifier, path }: Import): string | undefined {
  if (path !== undefined) return undefined;
  if (specifier.startsWith('node:')) return ownedModulesOfNode.has(specifier) ? specifier : undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
