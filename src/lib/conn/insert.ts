import { InputError } from '../errors.ts';
import { formatSize } from '../utils.ts';
import { columnName, type Driver, rowText, tableName } from './driver.ts';
import { problemOf } from './placeholders.ts';
import type { InsertOptions, InsertRow } from './types.ts';

export type Insert = {
  table: string;
  rows: Iterable<InsertRow> | AsyncIterable<InsertRow>;
  options?: InsertOptions | undefined;
};

/** Enough that the statement counts for little beside its rows, and little enough for a replica to follow. */
const CHUNK_BYTES = 1 << 20;
/** What a packet holds besides the statement. */
const PACKET_BYTES = 64;

/**
 * Sends rows by `write`, as many in a statement as fit. `limit` tells what the server takes. Errors: `bad_argument`,
 * `too_large`; they name the row by its number, never its values.
 */
export async function insertRows(
  driver: Driver,
  { table, rows, options = {} }: Insert,
  write: (sql: string, shown: string) => Promise<number>,
  limit: () => Promise<number>,
): Promise<number> {
  const most = (await limit()) - PACKET_BYTES;
  const chunkBytes = Math.min(options.chunkBytes ?? CHUNK_BYTES, most);
  let form: Form | undefined;
  let [touched, number, bytes] = [0, 0, 0];
  let texts: string[] = [];
  const flush = async (at: Form) => {
    if (texts.length === 0) return;
    touched += await write(
      `${at.head}${texts.join(',')}${at.tail}`,
      `${at.head.trim()}: ${texts.length} rows`,
    );
    [texts, bytes] = [[], 0];
  };
  for await (const row of rows) {
    number++;
    form ??= formOf(table, row, options);
    const text = rowText(driver, valuesOf(row, form.columns, number));
    const size = Buffer.byteLength(text) + 1;
    const own = Buffer.byteLength(form.head) + Buffer.byteLength(form.tail);
    if (size + own > most) throw tooLarge(number, size, most);
    if (bytes + size + own > chunkBytes) await flush(form);
    texts.push(text);
    bytes += size;
  }
  if (form) await flush(form);
  return touched;
}

type Form = { columns: string[]; head: string; tail: string };

function formOf(table: string, first: InsertRow, { columns, duplicates = 'refuse' }: InsertOptions): Form {
  const names = columns ?? Object.keys(first);
  if (names.length === 0) throw new InputError('bad_argument', 'the first row has no columns');
  const quoted = names.map(columnName);
  const head = `INSERT INTO ${tableName(table)} (${quoted.join(', ')}) VALUES `;
  // IGNORE would also make a value that is too long fit, and one that is no number 0: only duplicates are meant.
  const kept = `${quoted[0]} = ${quoted[0]}`;
  const set = duplicates === 'ignore' ? kept : quoted.map((one) => `${one} = VALUES(${one})`).join(', ');
  return { columns: names, head, tail: duplicates === 'refuse' ? '' : ` ON DUPLICATE KEY UPDATE ${set}` };
}

function valuesOf(row: InsertRow, columns: string[], number: number): unknown[] {
  let known = 0;
  const values = columns.map((name) => {
    if (!Object.hasOwn(row, name)) return null;
    known++;
    const value = row[name] ?? null;
    const problem = Array.isArray(value) ? 'a list, and a column holds one value' : problemOf(value);
    if (problem) throw new InputError('bad_argument', `row ${number}: "${name}" is ${problem}`);
    return value;
  });
  const other = known < Object.keys(row).length && Object.keys(row).find((name) => !columns.includes(name));
  if (other)
    throw new InputError('bad_argument', `row ${number} has "${other}", which is none of the columns`);
  return values;
}

function tooLarge(number: number, size: number, most: number): InputError {
  const told = `row ${number} takes ${formatSize(size)}, and the server no more than ${formatSize(most)}`;
  return new InputError('too_large', `${told} (max_allowed_packet)`);
}
