import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { codeOf, InputError } from '../errors.ts';

/** Files that include each other would be read for ever. */
const MAX_DEPTH = 8;

/**
 * One group of a file in the format of my.cnf: `name=value` lines below `[client]`, values quoted or not, comments,
 * `!include` and `!includedir`. Names have dashes and underscores alike; the last one counts. What a program would
 * warn about (`loose-...`) is read without the mark. Error: `bad_config`.
 */
export function readOptionFile(path: string, group = 'client', depth = 0): Map<string, string> {
  if (depth > MAX_DEPTH) throw new InputError('bad_config', `${path}: files include each other too deeply`);
  const found = new Map<string, string>();
  const add = (more: Map<string, string>) => {
    for (const [name, value] of more) found.set(name, value);
  };
  let section = '';
  for (const line of read(path)
    .split(/\r?\n/)
    .map((one) => one.trim())) {
    const include = /^!include(dir)?\s+(.+)$/.exec(line);
    if (include) {
      const place = resolve(dirname(path), include[2]!);
      for (const file of include[1] ? filesIn(place) : [place]) add(readOptionFile(file, group, depth + 1));
    } else if (line.startsWith('[')) section = /^\[([^\]]*)\]/.exec(line)?.[1]?.trim() ?? '';
    else if (section === group && line !== '' && !/^[#;]/.test(line)) add(new Map([option(line)]));
  }
  return found;
}

function option(line: string): [name: string, value: string] {
  const at = line.indexOf('=');
  const word = at === -1 ? line.replace(/\s#.*$/, '') : line.slice(0, at);
  const name = word
    .trim()
    .replaceAll('_', '-')
    .replace(/^loose-/, '');
  return [name, at === -1 ? '' : textIn(line.slice(at + 1).trim())];
}

/** In quotes a `#` is one; without them it begins a comment. */
function textIn(text: string): string {
  const quoted = /^(['"])((?:\\.|(?!\1).)*)\1/.exec(text)?.[2];
  return unescaped(quoted ?? text.replace(/\s*#.*$/, ''));
}

const ESCAPES: Record<string, string> = { b: '\b', t: '\t', n: '\n', r: '\r', s: ' ', '\\': '\\' };

/** As the servers' own programs do: what is no escape of theirs keeps its backslash, but for quotes. */
function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (all, char: string) => ESCAPES[char] ?? (/['"]/.test(char) ? char : all));
}

const filesIn = (folder: string) =>
  readable(folder, () => readdirSync(folder))
    .filter((name) => name.endsWith('.cnf'))
    .sort()
    .map((name) => join(folder, name));

const read = (path: string) => readable(path, () => readFileSync(path, 'utf8'));

function readable<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : codeOf(cause);
    throw new InputError('bad_config', `the options in ${path} cannot be read: ${why}`, { cause });
  }
}
