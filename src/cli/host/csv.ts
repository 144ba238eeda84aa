import { InputError } from '../../lib/errors.ts';

/** Comma-separated values as spreadsheets read and write them (RFC 4180). */
export function writeCsv(rows: string[][]): string {
  return rows.map((row) => `${row.map(quoted).join(',')}\n`).join('');
}

const quoted = (cell: string) => (/[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** One cell and what ends it: a comma, or the line. */
const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

/** Rows of cells; empty lines are passed over. Error: `bad_inventory`, with the line. */
export function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length; ) {
    CELL.lastIndex = at;
    const [whole, inQuotes, plain = '', end] = CELL.exec(text) ?? [];
    if (whole === undefined) {
      const line = text.slice(0, at).split('\n').length;
      throw new InputError('bad_inventory', `line ${line}: a quote does not stand around a whole cell`);
    }
    row.push(inQuotes?.replaceAll('""', '"') ?? plain);
    at += whole.length;
    if (end === ',' && at < text.length) continue;
    if (end === ',') row.push('');
    rows.push(row);
    row = [];
  }
  return rows.filter((cells) => cells.some((cell) => cell !== ''));
}
