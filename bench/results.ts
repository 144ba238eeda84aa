import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Machine } from './machine.ts';
import type { Figure } from './suite.ts';

/** What bench/results/SUITE.json holds. */
export type Result = {
  suite: string;
  figures: Figure[];
  /** As it was called; the same again gives the same figures within what the machine allows. */
  command: string;
  quick: boolean;
  /** UTC. */
  date: string;
  commit: string;
  seconds: number;
  machine: Machine;
};

export function writeResult(folder: string, result: Result): void {
  mkdirSync(folder, { recursive: true });
  replaceFile(join(folder, `${result.suite}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
}

/** Those that are there, in the order of `names`. */
export function readResults(folder: string, names: string[]): Result[] {
  const there = existsSync(folder) ? readdirSync(folder).map((file) => basename(file, '.json')) : [];
  return names
    .filter((name) => there.includes(name))
    .map((name) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Result);
}

/** Whole or not at all: a Ctrl-C in between leaves what was there. */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
