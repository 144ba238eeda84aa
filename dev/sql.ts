import sqlParser from 'node-sql-parser';
import { type Finding, finding } from './structure/finding.ts';
import { literals, looksLikeSql } from './structure/places.ts';
import { type SourceFile, source } from './structure/source.ts';

/**
 * The SQL lint: every statement of the store parses as MySQL and as MariaDB, and uses nothing that one of
 * MySQL 8.0 and MariaDB 10.6 does not know. The servers themselves have the last word, in the tests that run
 * the statements; this finds the place at once, and without a server.
 */

export const storeFolder = 'src/dispatcher/store/';

const verbs =
  /^(?:SELECT|INSERT|REPLACE|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|RENAME|TRUNCATE|SET|DO|CALL|START|COMMIT|ROLLBACK|SAVEPOINT|LOCK|UNLOCK|ANALYZE|SHOW|EXPLAIN|KILL|\()/i;

interface Part {
  readonly start: number;
  readonly text: string;
}

export interface Statement {
  readonly file: SourceFile;
  /** The literal parts, as written; between two of them stands one `${…}`. */
  readonly parts: readonly Part[];
  /** Not a fragment, whatever word it begins with. */
  readonly whole: boolean;
}

export interface SqlReport {
  readonly findings: Finding[];
  /** Whole statements, parsed in both dialects. */
  readonly statements: number;
  /** Pieces that only make sense inside a statement: held to the refused words alone. */
  readonly fragments: number;
}

export function lintSql(files: readonly SourceFile[]): SqlReport {
  const store = files.filter((file) => file.path.startsWith(storeFolder));
  const texts = store.flatMap((file) => (file.path.endsWith('.sql') ? inMigration(file) : inTemplates(file)));
  const whole = texts.filter((text) => text.whole || verbs.test(filled(text, () => '?')));
  return {
    findings: [...store.flatMap(untagged), ...texts.flatMap(refused), ...whole.flatMap(unparsable)],
    statements: whole.length,
    fragments: texts.length - whole.length,
  };
}

/** SQL in a template without the tag `sql`, or in a string, would go unread. */
function untagged(file: SourceFile): Finding[] {
  if (!file.path.endsWith('.ts')) return [];
  return literals(file)
    .filter(({ tag, text }) => tag !== 'sql' && looksLikeSql.test(text))
    .map(({ start }) =>
      finding(file, start, 'sql-tagged', 'SQL that this lint cannot see', 'write it as sql`…`'),
    );
}

function inTemplates(file: SourceFile): Statement[] {
  if (!file.path.endsWith('.ts')) return [];
  return source(file)
    .templates.filter(({ tag }) => tag === 'sql')
    .map(({ parts }) => ({
      file,
      parts: parts.map(({ start, end }) => ({ start, text: file.text.slice(start, end) })),
      whole: false,
    }))
    .filter((statement) => filled(statement, () => '?') !== '');
}

function inMigration(file: SourceFile): Statement[] {
  const masked = mask(file.text);
  const found: Statement[] = [];
  for (let from = 0; from < masked.length; ) {
    const semicolon = masked.indexOf(';', from);
    const end = semicolon === -1 ? masked.length : semicolon;
    const lead = /^\s*/.exec(masked.slice(from, end))![0].length;
    const start = from + lead;
    if (start < end) found.push({ file, parts: [{ start, text: file.text.slice(start, end) }], whole: true });
    from = end + 1;
  }
  return found;
}

/** The words as the server gets them, with a piece in the place of each `${…}`. */
function filled({ file, parts }: Statement, piece: (hole: number) => string): string {
  const texts = parts.map(({ text }, i) => text + (i < parts.length - 1 ? piece(i) : ''));
  const joined = texts.join('');
  const plain = file.path.endsWith('.ts') ? joined.replace(/\\([`$\\])/g, '$1') : joined;
  return withoutSqlComments(plain).trim();
}

const sqlComment =
  /'(?:''|\\.|[^'\\])*'|"(?:""|\\.|[^"\\])*"|`[^`]*`|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\//g;

function withoutSqlComments(text: string): string {
  return text.replace(sqlComment, (piece) => (/^['"`]/.test(piece) ? piece : piece.replace(/[^\n]/g, ' ')));
}

/** Comments and the insides of strings are blank, the insides of `names` read as q; lengths stay. */
function mask(text: string): string {
  return text.replace(sqlComment, (piece) => {
    const quote = /^['"`]/.exec(piece)?.[0];
    if (quote === undefined) return piece.replace(/[^\n]/g, ' ');
    const inside = piece.slice(1, -1).replace(/[^\n]/g, quote === '`' ? 'q' : ' ');
    return quote + inside + quote;
  });
}

interface Refusal {
  readonly pattern: RegExp;
  readonly why: string;
  readonly todo: string;
}

const noMariadb = 'MariaDB does not know it';
const noMysql = 'MySQL does not know it';
const inUtc = 'a time must not depend on the zone of a session';
const definition = String.raw`(?:[(,]|\bADD(?:\s+COLUMN)?|\b(?:MODIFY|CHANGE)(?:\s+COLUMN)?(?:\s+\S+)?)\s*`;

/** What one of MySQL 8.0 and MariaDB 10.6 does not know, and what we do instead. */
const refusals: readonly Refusal[] = [
  { pattern: /\bRETURNING\b/i, why: noMysql, todo: 'SELECT … FOR UPDATE before, or read back after' },
  { pattern: /\bFOR\s+UPDATE\s+OF\b/i, why: noMariadb, todo: 'lock the one table in a statement of its own' },
  { pattern: /\bFOR\s+SHARE\b/i, why: noMariadb, todo: 'write LOCK IN SHARE MODE' },
  {
    pattern: /\b(?:INTERSECT|EXCEPT)\b/i,
    why: 'MySQL before 8.0.31 does not know it',
    todo: 'use [NOT] EXISTS',
  },
  { pattern: /\bVALUES\s+ROW\b/i, why: noMariadb, todo: 'write VALUES (…), (…)' },
  { pattern: /\bLATERAL\b/i, why: noMariadb, todo: 'join a derived table that stands alone' },
  {
    pattern: /\bJSON_TABLE\b/i,
    why: 'the two read it differently',
    todo: 'take the JSON apart in TypeScript',
  },
  { pattern: /->/, why: noMariadb, todo: 'write JSON_EXTRACT or JSON_UNQUOTE(JSON_EXTRACT(…))' },
  { pattern: /\bMEMBER\s+OF\b/i, why: noMariadb, todo: 'write JSON_CONTAINS' },
  {
    pattern: /\b(?:JSON_OVERLAPS|REGEXP_LIKE|ANY_VALUE|UUID_TO_BIN|BIN_TO_UUID)\b/i,
    why: noMariadb,
    todo: 'do it in TypeScript',
  },
  {
    pattern: /\bCREATE\s+OR\s+REPLACE\s+TABLE\b/i,
    why: noMysql,
    todo: 'write CREATE TABLE; a migration runs once',
  },
  {
    pattern: /\b(?:COLUMN|INDEX|KEY|CONSTRAINT|ADD|DROP|MODIFY|CHANGE)\s+IF\s+(?:NOT\s+)?EXISTS\b/i,
    why: noMysql,
    todo: 'leave it out; a migration runs once',
  },
  {
    pattern: /\b(?:CREATE|ALTER|DROP)\s+SEQUENCE\b|\bNEXT\s+VALUE\s+FOR\b|\b(?:NEXTVAL|LASTVAL|SETVAL)\s*\(/i,
    why: noMysql,
    todo: 'use AUTO_INCREMENT or a counting row',
  },
  {
    pattern: new RegExp(`${definition}\\S+\\s+(?:UUID|INET4|INET6)\\b(?!\\s*\\()`, 'i'),
    why: noMysql,
    todo: 'use BINARY(16) or CHAR(36)',
  },
  {
    pattern: /\butf8mb4_(?:0900|uca1400)\w*/i,
    why: 'only one of the two has this collation',
    todo: 'use utf8mb4_bin or utf8mb4_unicode_520_ci',
  },
  {
    pattern: new RegExp(
      `${definition}(?:RANK|GROUPS|SYSTEM|OFFSET|ROWNUM|EMPTY|CUBE|LEAD|LAG)\\s+[A-Z]`,
      'i',
    ),
    why: 'the name is reserved in one of the two',
    todo: 'choose another name',
  },
  {
    pattern:
      /\b(?:NOW|SYSDATE|CURDATE|CURTIME)\s*\(|\b(?:CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME|LOCALTIME|LOCALTIMESTAMP)\b/i,
    why: inUtc,
    todo: 'write UTC_TIMESTAMP(3), and no default for the column',
  },
  {
    pattern: /\bUTC_TIMESTAMP\b(?!\s*\(\s*3\s*\))/i,
    why: 'times are kept to the millisecond',
    todo: 'write UTC_TIMESTAMP(3)',
  },
];

/** Refused shapes that take more than a pattern: each returns the offset in the masked text, or -1. */
const shapes: readonly (Omit<Refusal, 'pattern'> & { readonly find: (masked: string) => number })[] = [
  { find: rowAlias, why: noMariadb, todo: 'write VALUES(column) in ON DUPLICATE KEY UPDATE' },
  { find: functionalIndex, why: noMariadb, todo: 'index a generated column' },
];

function refused(statement: Statement): Finding[] {
  const masked = mask(statement.parts.map(({ text }) => text).join(hole));
  const found = refusals.map(({ pattern, ...rest }) => ({ ...rest, match: pattern.exec(masked) }));
  const words = found.flatMap(({ match, why, todo }) =>
    match === null ? [] : [{ at: match.index, text: match[0], why, todo }],
  );
  const odd = shapes
    .map(({ find, ...rest }) => ({ ...rest, at: find(masked) }))
    .filter(({ at }) => at !== -1)
    .map(({ at, ...rest }) => ({ ...rest, at, text: masked.slice(at, at + 30) }));
  return [...words, ...odd].map(({ at, text, why, todo }) => {
    const what = `"${text.replace(/\s+/g, ' ').trim()}": ${why}`;
    return finding(statement.file, placeOf(statement, at), 'sql-both-servers', what, todo);
  });
}

/** Stands for `${…}` where words are looked for; the blanks keep those to its left and right apart. */
const hole = ' ? ';

/** From an offset in the joined parts to the one in the file. */
function placeOf({ parts }: Statement, at: number): number {
  let before = 0;
  for (const { start, text } of parts) {
    if (at < before + text.length + hole.length) return start + Math.min(at - before, text.length);
    before += text.length + hole.length;
  }
  return parts[0]!.start;
}

/** INSERT … VALUES (…) AS new: an alias outside every bracket, in an INSERT that selects from nothing. */
function rowAlias(masked: string): number {
  if (!/^\s*(?:INSERT|REPLACE)\b/i.test(masked)) return -1;
  let depth = 0;
  const outer = [...masked].map((char) => {
    if (char === '(') return depth++ === 0 ? '(' : ' ';
    if (char === ')') return --depth === 0 ? ')' : ' ';
    return depth === 0 ? char : ' ';
  });
  const text = outer.join('');
  return /\bSELECT\b/i.test(text) ? -1 : text.search(/\bAS\s+\w/i);
}

/** An index whose list holds an expression in brackets of its own: INDEX i ((lower(name))). */
function functionalIndex(masked: string): number {
  const lists = /\b(?:INDEX|KEY|UNIQUE)\b(?:\s+(?!UPDATE\b)[\w`]+)?(?:\s+ON\s+[\w`]+)?\s*\(/gi;
  for (const list of masked.matchAll(lists)) {
    let depth = 1;
    for (let i = list.index + list[0].length; i < masked.length && depth > 0; i++) {
      if (masked[i] === '(' && depth++ === 1 && /[(,]\s*$/.test(masked.slice(0, i))) return list.index;
      if (masked[i] === ')') depth--;
    }
  }
  return -1;
}

type Dialect = 'mysql' | 'mariadb';

interface Normal {
  readonly from: RegExp;
  readonly to: string;
  /** Only this grammar of the parser lacks it; the other one still checks what stands there. */
  readonly only?: Dialect;
}

/** What both servers know and node-sql-parser 5 does not: rewritten, for the parser alone. */
const normals: readonly Normal[] = [
  // The driver writes the rows of `VALUES ?` itself; the parser would count one column.
  { from: /\bVALUES\s+\?/gi, to: 'SELECT ?' },
  { from: /<=>/g, to: '=' },
  { from: /\b(?:USE|FORCE|IGNORE)\s+(?:INDEX|KEY)\s*(?:FOR\s+[A-Z ]+)?\([^()]*\)/gi, to: '' },
  { from: /\b(REGEXP|RLIKE)\s+\?/gi, to: "$1 'x'" },
  { from: /=\s*DEFAULT\b(?!\s*\()/gi, to: '= 1' },
  { from: /^SET\s+(?:SESSION\s+)?TRANSACTION\s+ISOLATION\s+LEVEL\s+[A-Z ]+$/i, to: 'SELECT 1' },
  { from: /^(?:SAVEPOINT|RELEASE\s+SAVEPOINT|ROLLBACK\s+TO(?:\s+SAVEPOINT)?)\s+\w+$/i, to: 'SELECT 1' },
  { from: /\s+LOCK\s+IN\s+SHARE\s+MODE$/i, to: '', only: 'mariadb' },
  { from: /^SHOW\s+STATUS\s+LIKE\s+'[^']+'$/i, to: 'SELECT 1' },
  { from: /^DO\s+/i, to: 'SELECT ' },
  { from: /^((?:UPDATE|DELETE)\b[\s\S]*?)\s+ORDER\s+BY\s+[^()]+$/i, to: '$1', only: 'mariadb' },
  { from: /^((?:UPDATE|DELETE)\b[\s\S]*?)\s+LIMIT\s+\S+$/i, to: '$1', only: 'mariadb' },
  { from: /\bINTERVAL\s+(\S+)\s+MICROSECOND\b/gi, to: 'INTERVAL $1 SECOND', only: 'mariadb' },
  {
    from: /^ALTER\s+TABLE\b[\s\S]*\b(?:ADD|DROP)\s+(?:CONSTRAINT|FOREIGN|PRIMARY|UNIQUE|CHECK)\b[\s\S]*$/i,
    to: 'SELECT 1',
    only: 'mariadb',
  },
  // Not reserved on any server.
  { from: /\bstatus\b/gi, to: 'status_', only: 'mariadb' },
];

const parser = new sqlParser.Parser();

function whyNot(text: string): { dialect: Dialect; message: string } | undefined {
  for (const dialect of ['mysql', 'mariadb'] as const) {
    const normal = normals
      .filter(({ only }) => only === undefined || only === dialect)
      .reduce((sql, { from, to }) => sql.replace(from, to), text);
    try {
      parser.astify(normal, { database: dialect });
    } catch (error) {
      return { dialect, message: explain(normal, error) };
    }
  }
  return undefined;
}

function explain(text: string, error: unknown): string {
  const at = (error as { location?: { start: { offset: number } } }).location?.start.offset;
  if (at === undefined) return error instanceof Error ? error.message : String(error);
  const near = text.slice(Math.max(0, at - 25), at).replace(/\s+/g, ' ');
  const rest = text.slice(at, at + 25).replace(/\s+/g, ' ');
  return `it stops at "${near}⟨here⟩${rest}"`;
}

function unparsable(statement: Statement): Finding[] {
  let first: ReturnType<typeof whyNot>;
  for (const text of guesses(statement)) {
    const failure = whyNot(text);
    if (failure === undefined) return [];
    first ??= failure;
  }
  const pieces = statement.parts.length > 1 ? ', whatever its pieces are' : '';
  const what = `does not parse as ${first!.dialect}${pieces}: ${first!.message}`;
  const todo = 'mend it; if both servers know it, add a line to `normals` in dev/sql.ts';
  return [finding(statement.file, statement.parts[0]!.start, 'sql-parses', what, todo)];
}

/** What `${…}` may stand for, the likeliest first for the word before it. */
const likely: readonly (readonly [RegExp, string])[] = [
  [/\b(?:VALUES|IN)\s*$/i, '(?)'],
  [/\b(?:WHERE|AND|OR|ON|HAVING|NOT|SET|WHEN|KEY\s+UPDATE)\s*$/i, 'x = 1'],
  [/\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s*$/i, 't'],
  [/(?:\b(?:SELECT|DISTINCT|BY)|[(,])\s*$/i, 'x'],
  [/(?:\b(?:LIMIT|INTERVAL|OFFSET)|[=<>+-])\s*$/i, '?'],
];
const pieces = ['', '?', 'x', 'x = 1', 'AND x = 1', 'WHERE x = 1', ', x', ', x = 1', '(?)'];
const maxGuesses = 600;

/** The likeliest pieces for the words before them, then with one of them left out or changed, then all others. */
function* guesses(statement: Statement): Generator<string> {
  const before = statement.parts.slice(0, -1);
  const first = before.map(({ text }) => likely.find(([words]) => words.test(text))?.[1] ?? '');
  yield filled(statement, (i) => first[i]!);
  for (const [changed] of first.entries()) {
    for (const piece of pieces) yield filled(statement, (i) => (i === changed ? piece : first[i]!));
  }
  const all = before.length === 0 ? 0 : Math.min(pieces.length ** before.length, maxGuesses);
  for (let n = 0; n < all; n++) {
    yield filled(statement, (i) => pieces[Math.floor(n / pieces.length ** i) % pieces.length]!);
  }
}
