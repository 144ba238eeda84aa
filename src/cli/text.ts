import { CONTROL, clean } from '../lib/clean.ts';

/** What hosts and other people wrote, made safe for a terminal, and times as people say them. */

export { clean };

/** The same JSON in which a terminal finds nothing to obey: what could not stand in a line is written as \uXXXX. */
export function plain(json: string): string {
  const written = (one: string) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return json.replace(CONTROL, (one) => (one === '\n' ? one : written(one)));
}

/** At most `width` characters, the cut marked. */
export function cut(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** `12 s ago`; `never` for no time. A clock that is a little ahead of ours reads as now. */
export function ago(iso: string | null, now = Date.now()): string {
  return iso === null ? 'never' : `${span(now - Date.parse(iso))} ago`;
}

/** `12 s`, `5 m`, `3 h`, `6 d`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A clock may be so far ahead of ours. */
const SLACK_MS = 60_000;

/** `2026-01-31 12:00:00 UTC (12 s ago)`, or `(in 29 d)` */
export function moment(iso: string | null, now = Date.now()): string {
  if (iso === null) return '-';
  const aheadMs = Date.parse(iso) - now;
  const when = aheadMs > SLACK_MS ? `in ${span(aheadMs)}` : ago(iso, now);
  return `${instant(iso)} UTC (${when})`;
}

/** `2026-01-31 12:00:00`, UTC. */
export const instant = (iso: string) => iso.slice(0, 19).replace('T', ' ');

/** `12:00:00`, UTC. */
export const clock = (ms: number) => new Date(ms).toISOString().slice(11, 19);

/** As a shell must be given it, so that a command that we print can be copied. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Lines of at most `width` characters, broken between words, each after `indent` blanks. */
export function wrap(text: string, width: number, indent = 0): string {
  const lines: string[] = [];
  for (const word of clean(text).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width - indent)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => ' '.repeat(indent) + line).join('\n');
}

/** `dc=hz env=test`; null for none. */
export function labelsOf(labels: Record<string, string>): string | null {
  const all = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return all.length === 0 ? null : all.join(' ');
}

/** `1 host`, `2 hosts`. */
export const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;

const INSTANT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)((?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?$/;

/** `2026-12-01T02:00`, UTC unless an offset is named, as the ISO text of that moment; undefined for anything else. */
export function instantOf(text: string): string | undefined {
  const [, day, minute, second = '', zone = 'Z'] = INSTANT.exec(text.trim()) ?? [];
  const at = Date.parse(`${day}T${minute}${second}${zone}`);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
