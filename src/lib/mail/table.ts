import { escapeHtml } from '../html.ts';

/** Rows as a mail shows them: `sendmail({ to, subject, ...tableOf(rows) })`. */
export type Table = { text: string; html: string };

export type TableOptions = {
  /** Which columns, in which order; default: all names in the rows. */
  columns?: string[];
};

const GAP = '  ';
const CELL = 'border:1px solid #ccc;padding:3px 8px';

/** A table for both parts of a mail; whatever the rows hold, it is text there and nothing else. */
export function tableOf(rows: readonly object[], options: TableOptions = {}): Table {
  if (rows.length === 0) return { text: 'no rows\n', html: '<p>no rows</p>\n' };
  const columns = options.columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const values = rows.map((row) => columns.map((name) => (row as Record<string, unknown>)[name]));
  const right = columns.map((_, i) => values.every((row) => row[i] == null || isNumber(row[i])));
  const cells = values.map((row) => row.map(textOf));
  return { text: asText(columns, cells, right), html: asHtml(columns, cells, right) };
}

function asText(columns: string[], cells: string[][], right: boolean[]): string {
  const titles = columns.map(oneLine);
  const widths = titles.map((title, i) => Math.max(...[title, ...cells.map((row) => row[i]!)].map(width)));
  const line = (row: string[]) => {
    const padded = row.map((cell, i) => {
      const blanks = ' '.repeat(widths[i]! - width(cell));
      return right[i] ? blanks + cell : cell + blanks;
    });
    return `${padded.join(GAP).trimEnd()}\n`;
  };
  return [titles, widths.map((one) => '-'.repeat(one)), ...cells].map(line).join('');
}

function asHtml(columns: string[], cells: string[][], right: boolean[]): string {
  const row = (tag: string, texts: string[]) => {
    const each = texts.map((text, i) => {
      const style = `${CELL};text-align:${right[i] ? 'right' : 'left'}`;
      return `<${tag} style="${style}">${escapeHtml(text)}</${tag}>`;
    });
    return `<tr>${each.join('')}</tr>\n`;
  };
  const body = cells.map((texts) => row('td', texts)).join('');
  return `<table style="border-collapse:collapse">\n${row('th', columns.map(oneLine))}${body}</table>\n`;
}

const isNumber = (value: unknown) => typeof value === 'number' || typeof value === 'bigint';
const width = (text: string) => [...text].length;

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString().replace('T', ' ').replace('Z', ' UTC');
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  return oneLine(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const oneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
