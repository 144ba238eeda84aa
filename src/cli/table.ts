import { clean, cut, plain } from './text.ts';
import type { Output } from './world.ts';

export type Column<T> = {
  title: string;
  cell: (row: T) => string;
  /** Numbers stand to the right. */
  right?: boolean;
  /** May be cut where the terminal is too narrow; ids never are, since they are there to be copied. */
  shrinks?: boolean;
};

const GAP = 2;
const NARROWEST = 8;

/** Rows below titles, padded; cells are cleaned. `width` bounds the lines as far as columns may shrink. */
export function table<T>(rows: T[], columns: Column<T>[], width = Number.POSITIVE_INFINITY): string {
  const cells = [
    columns.map((one) => one.title),
    ...rows.map((row) => columns.map((one) => clean(one.cell(row)))),
  ];
  const widths = fit(columns, cells, width);
  return cells.map((line) => `${layOut(line, columns, widths).trimEnd()}\n`).join('');
}

/** `name  value` lines. */
export function pairs(values: [name: string, value: string | number | null][]): string {
  const width = Math.max(...values.map(([name]) => name.length));
  return values.map(([name, value]) => `${name.padEnd(width)}  ${clean(String(value ?? '-'))}\n`).join('');
}

/** A pipe takes lines of any length; a terminal of unknown width has 80 columns. */
export function widthOf(output: Output): number {
  return output.isTTY ? (output.columns ?? 80) : Number.POSITIVE_INFINITY;
}

export function printJson(output: Output, value: unknown): void {
  output.write(`${plain(JSON.stringify(value, undefined, 2))}\n`);
}

function fit<T>(columns: Column<T>[], cells: string[][], width: number): number[] {
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => [...line[i]!].length)));
  let over = widths.reduce((sum, one) => sum + one, GAP * (columns.length - 1)) - width;
  // From the right: what matters most stands to the left.
  for (let i = columns.length - 1; i >= 0 && over > 0; i--) {
    if (!columns[i]!.shrinks) continue;
    const given = Math.min(over, Math.max(0, widths[i]! - NARROWEST));
    widths[i]! -= given;
    over -= given;
  }
  return widths;
}

function layOut<T>(line: string[], columns: Column<T>[], widths: number[]): string {
  const padded = line.map((text, i) => {
    const shown = cut(text, widths[i]!);
    const blanks = ' '.repeat(widths[i]! - [...shown].length);
    return columns[i]!.right ? blanks + shown : shown + blanks;
  });
  return padded.join(' '.repeat(GAP));
}
