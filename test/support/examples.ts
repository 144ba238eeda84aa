import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Example = {
  /** `library.md:42`, for people. */
  place: string;
  language: 'js' | 'ts';
  code: string;
  /** What it prints, where the document says so. */
  prints: string | undefined;
};

const root = join(import.meta.dirname, '../..');
const BLOCK = /^```(js|ts)\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm;

/** The programs in a document that use the library, each with the text block that follows it. */
export function examplesIn(document: string): Example[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(BLOCK)]
    .map(([all, language, code, prints]) => {
      const line = text.slice(0, text.indexOf(all)).split('\n').length;
      return { place: `${document}:${line}`, language: language as 'js' | 'ts', code: code!, prints };
    })
    .filter(({ code }) => code.includes("from 'mega-fleet/"));
}
