import { lineAt, type SourceFile } from './source.ts';

/** One breach of one rule, with what to do about it. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly what: string;
  readonly todo: string;
}

/** A rule looks at a whole tree and has no other input, so that a made-up tree can prove that it bites. */
export type Rule = (files: readonly SourceFile[]) => Finding[];

export function finding(file: SourceFile, offset: number, rule: string, what: string, todo: string): Finding {
  return { path: file.path, line: lineAt(file.text, offset), rule, what, todo };
}

/** One line for each finding: place, rule, what is wrong, what to do. */
export function report(findings: readonly Finding[]): string {
  return findings.map((f) => `${f.path}:${f.line} [${f.rule}] ${f.what}; ${f.todo}`).join('\n');
}

export function isTypeScript(file: SourceFile): boolean {
  return file.path.endsWith('.ts');
}

/** The TypeScript files under src/: what runs on a server or a host. */
export function product(files: readonly SourceFile[]): SourceFile[] {
  return files.filter((file) => isTypeScript(file) && file.path.startsWith('src/'));
}
