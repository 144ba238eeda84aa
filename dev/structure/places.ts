import { type Finding, finding, product, type Rule } from './finding.ts';
import { inCode, type SourceFile, source } from './source.ts';

/** Rules on what may stand in which file. */

/** Upper case alone: lower case words such as "select a host" are prose. */
export const looksLikeSql =
  /\b(?:SELECT\s|INSERT\s+(?:IGNORE\s+)?INTO\b|REPLACE\s+INTO\b|UPDATE\s+\S+\s+SET\b|DELETE\s+FROM\b|(?:CREATE|ALTER|DROP)\s+TABLE\b)/;

/** What names no table: SET …, a SELECT that reads none (what a connection says of itself), and rows for any. */
const ofNoTable = /^\s*(?:SET\s|SELECT\s(?![\s\S]*\bFROM\b)|INSERT INTO x \(x\) VALUES $)/;

/** All SQL stands in the store, where test/sql.test.ts reads it; the agent's own SQLite has its journal. */
export const sqlInStore: Rule = (files) => {
  const found: Finding[] = [];
  for (const file of product(files)) {
    if (/^src\/(?:dispatcher\/store\/|agent\/journal(?:\/|\.ts$))/.test(file.path)) continue;
    for (const { tag, start, text } of literals(file)) {
      if (tag !== 'sql' && !looksLikeSql.test(text)) continue;
      if (/^src\/lib\/conn(?:\/|\.ts$)/.test(file.path) && ofNoTable.test(text)) continue;
      const words = text.trim().replace(/\s+/g, ' ').slice(0, 40);
      const todo = 'make it a function under src/dispatcher/store/ and call that';
      found.push(finding(file, start, 'sql-in-store', `SQL outside the store: "${words}"`, todo));
    }
  }
  return found;
};

/** Every string and template with its words; `${…}` reads as x. */
export function literals(file: SourceFile): { tag: string; start: number; text: string }[] {
  const { text } = file;
  const { strings, templates } = source(file);
  return [
    ...strings.map(({ start, end }) => ({ tag: '', start, text: text.slice(start, end) })),
    ...templates.map(({ tag, start, parts }) => ({
      tag,
      start,
      text: parts.map((part) => text.slice(part.start, part.end)).join('x'),
    })),
  ];
}

/** The environment is read where it is checked: for the programs, and for scripts that use the library. */
export const environmentInConfig: Rule = onlyIn(
  'environment-in-config',
  /\bprocess\s*\??\.\s*env\b|\bprocess\s*\??\.?\s*\[\s*['"`]env\b|\benv\b[^{}=;]*\}\s*=\s*process\b(?!\s*[.\w])/g,
  ['src/lib/config.ts', 'src/lib/environment.ts'],
  'name the setting in src/lib/config.ts (of a program) or environment.ts (of scripts) and take it as an argument',
);

const entryPoints = [
  'src/cli/main.ts',
  'src/dispatcher/main.ts',
  'src/agent/main.ts',
  'src/agent/keeper/main.ts',
];

/** Only who started the process may end it, else work in flight is lost. */
const exits = onlyIn(
  'exit-in-main',
  /\bprocess\s*\.\s*(?:exit|exitCode|abort|reallyExit)\b/g,
  entryPoints,
  'throw an error, or return, and let the main file of the program decide',
);

/** A script is its own main file, and asks the library by name to hear SIGHUP for it. */
const signals = onlyIn(
  'exit-in-main',
  /\bprocess\s*\.\s*(?:on|once|addListener|prependListener|prependOnceListener)\s*\(\s*['"`]SIG/g,
  [...entryPoints, 'src/lib/public/logs.ts'],
  'let the main file of the program hear signals, and export what it is to do then',
);

const selfKill = onlyIn(
  'exit-in-main',
  /\bprocess\s*\.\s*kill\s*\(\s*process\s*\.\s*pid\b/g,
  [...entryPoints, 'src/agent/fault.ts'],
  'throw an error, or return; for a test, name a fault point in src/agent/fault.ts',
);

/** Named imports would hide the use of the process from the rules above. */
const processIsGlobal = onlyIn(
  'process-is-global',
  /\bfrom\s*['"](?:node:)?process['"]/g,
  [],
  'use the global `process`, which the rules on exits and environment can see',
);

const EXIT_RULES = [exits, signals, selfKill, processIsGlobal];
export const exitInMain: Rule = (files) => EXIT_RULES.flatMap((rule) => rule(files));

function onlyIn(rule: string, pattern: RegExp, allowed: readonly string[], todo: string): Rule {
  return (files) =>
    product(files)
      .filter((file) => !allowed.includes(file.path))
      .flatMap((file) =>
        [...inCode(source(file), pattern)].map((match) => {
          const words = match[0].replace(/\s+/g, ' ');
          return finding(file, match.index, rule, `\`${words}\` stands here`, todo);
        }),
      );
}

// The names are put together from pieces so that this file does not break its own rule.
const ofOneMachine = new RegExp(`(?<![\\w.~$})*-])/(?:${['work', 'root'].join('|')})/`, 'g');
const registry = new RegExp(`${['registry', 'npmjs'].join('\\.')}|"resolved"\\s*:\\s*"http`, 'g');

/** Whoever clones this has another machine and perhaps another registry. */
export const noMachineNames: Rule = (files) =>
  files.flatMap((file) => [
    ...[...file.text.matchAll(ofOneMachine)].map((m) =>
      finding(
        file,
        m.index,
        'no-machine-names',
        `a path of one machine: ${m[0]}`,
        'take it from an argument or a temporary folder',
      ),
    ),
    ...[...file.text.matchAll(registry)].map((m) =>
      finding(
        file,
        m.index,
        'no-machine-names',
        `a registry host: ${m[0]}`,
        'drop it; in package-lock.json, install with omit-lockfile-registry-resolved=true of .npmrc',
      ),
    ),
  ]);
