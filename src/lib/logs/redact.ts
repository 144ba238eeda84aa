import { withoutSecrets } from '../errors.ts';

/** A field whose name ends so holds a secret, whatever it holds. */
const SECRET =
  /(password|passwd|passphrase|secret|token|authorization|cookie|api_?key|private_?key|passwordhash)$/i;
/** Lines without any of these, which is nearly all, are let through as they are. */
const SUSPECT = /passw|passphrase|secret|token"|authorization|cookie"|_?key"|:\/\//i;
/** Words such as `password=hush` in a text. */
const IN_TEXT = /\b(password|passwd|secret|token|api_?key)(\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&]+)/gi;
const STRUCK = '***';

/**
 * One line of a log without its secrets: in fields that are named so, however deep, and inside texts, such as URLs with
 * a password.
 */
export function redacted(line: string): string {
  if (!SUSPECT.test(line)) return line;
  try {
    return `${JSON.stringify(JSON.parse(line), strike)}\n`;
  } catch {
    return textWithoutSecrets(line); // a line must never be what stops its writer
  }
}

function strike(name: string, value: unknown): unknown {
  if (SECRET.test(name)) return STRUCK;
  return typeof value === 'string' ? textWithoutSecrets(value) : value;
}

export function textWithoutSecrets(text: string): string {
  return withoutSecrets(text).replace(IN_TEXT, `$1$2${STRUCK}`);
}
