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
  insert: Insert,
  write: (sql: string, shown: string) => Promise<number>,
  limit: () => Promise<number>,
): Promise<number> {
  const chunks = new Chunks(driver, insert, (await limit()) - PACKET_BYTES);
  let touched = 0;
  const send = async ({ sql, shown }: Chunk) => {
    touched += await write(sql, shown);
  };
  const { rows } = insert;
  if (Symbol.asyncIterator in rows) {
    for await (const row of rows) {
      const full = chunks.add(row);
      if (full) await send(full);
    }
  } else {
    for (const row of rows) {
      const full = chunks.add(row); // most rows wait for nobody
      if (full) await send(full);
    }
  }
  const last = chunks.rest();
  if (last) await send(last);
  return touched;
}

type Chunk = { sql: string; shown: string };

/** Rows as the text of statements, none of them longer than the server takes. */
class Chunks {
  #driver: Driver;
  #insert: Insert;
  #most: number;
  #form: Form | undefined;
  #texts: string[] = [];
  #bytes = 0;
  #number = 0;

  constructor(driver: Driver, insert: Insert, most: number) {
    this.#driver = driver;
    this.#insert = insert;
    this.#most = most;
  }

  /** The statement that is full now, if one is; the row is in the next. */
  add(row: InsertRow): Chunk | undefined {
    const { table, options = {} } = this.#insert;
    this.#number++;
    this.#form ??= formOf(table, row, options);
    const text = rowText(this.#driver, valuesOf(row, this.#form.columns, this.#number));
    const size = Buffer.byteLength(text) + 1;
    const own = this.#form.bytes;
    if (size + own > this.#most) throw tooLarge(this.#number, size, this.#most);
    const chunkBytes = Math.min(options.chunkBytes ?? CHUNK_BYTES, this.#most);
    const full = this.#bytes + size + own > chunkBytes ? this.rest() : undefined;
    this.#texts.push(text);
    this.#bytes += size;
    return full;
  }

  rest(): Chunk | undefined {
    if (!this.#form || this.#texts.length === 0) return undefined;
    const { head, tail } = this.#form;
    const sql = `${head}${this.#texts.join(',')}${tail}`;
    const shown = `${head.trim()}: ${this.#texts.length} rows`;
    [this.#texts, this.#bytes] = [[], 0];
    return { sql, shown };
  }
}

type Form = { columns: string[]; head: string; tail: string; bytes: number };

function formOf(table: string, first: InsertRow, { columns, duplicates = 'refuse' }: InsertOptions): Form {
  const names = columns ?? Object.keys(first);
  if (names.length === 0) throw new InputError('bad_argument', 'the first row has no columns');
  const quoted = names.map(columnName);
  const head = `INSERT INTO ${tableName(table)} (${quoted.join(', ')}) VALUES `;
  // IGNORE would also make a value that is too long fit, and one that is no number 0: only duplicates are meant.
  const kept = `${quoted[0]} = ${quoted[0]}`;
  const set = duplicates === 'ignore' ? kept : quoted.map((one) => `${one} = VALUES(${one})`).join(', ');
  const tail = duplicates === 'refuse' ? '' : ` ON DUPLICATE KEY UPDATE ${set}`;
  return { columns: names, head, tail, bytes: Buffer.byteLength(head) + Buffer.byteLength(tail) };
}

function valuesOf(row: InsertRow, columns: string[], number: number): unknown[] {
  const values: unknown[] = [];
  let known = 0;
  for (const name of columns) {
    const value = row[name] ?? null;
    if (value !== null || Object.hasOwn(row, name)) known++;
    if (typeof value !== 'string') refuseUnlessColumn(value, name, number);
    values.push(value);
  }
  const names = Object.keys(row);
  if (known === names.length) return values;
  const other = names.find((name) => !columns.includes(name));
  throw new InputError('bad_argument', `row ${number} has "${other}", which is none of the columns`);
}

function refuseUnlessColumn(value: unknown, name: string, number: number): void {
  const problem = Array.isArray(value) ? 'a list, and a column holds one value' : problemOf(value);
  if (problem) throw new InputError('bad_argument', `row ${number}: "${name}" is ${problem}`);
}

function tooLarge(number: number, size: number, most: number): InputError {
  const told = `row ${number} takes ${formatSize(size)}, and the server no more than ${formatSize(most)}`;
  return new InputError('too_large', `${told} (max_allowed_packet)`);
}
