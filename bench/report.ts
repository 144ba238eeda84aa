import type { Figure } from './suite.ts';

/** A figure as a person reads it; all of it is pure. */

const WIDTH = 110;
const THOUSAND = 1000;

/** Three digits that count: `0.352`, `14.1`, `528`, `12,400`. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size >= THOUSAND) return Math.round(value).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

/** How many times its ceiling or peer. */
export function ratioOf({ value, ceiling }: Figure): number | undefined {
  return ceiling && ceiling.value !== 0 ? value / ceiling.value : undefined;
}

/** Undefined for a figure without an aim, or with one of a ratio that could not be measured. */
export function isMet(figure: Figure): boolean | undefined {
  const { aim } = figure;
  const measured = aim?.of === 'ratio' ? ratioOf(figure) : figure.value;
  if (!aim || measured === undefined) return undefined;
  return measured <= (aim.atMost ?? Infinity) && measured >= (aim.atLeast ?? -Infinity);
}

export function aimText({ aim }: Figure): string {
  if (!aim) return '';
  const of = aim.of === 'ratio' ? ' x' : '';
  const most = aim.atMost === undefined ? [] : [`<= ${numberText(aim.atMost)}${of}`];
  const least = aim.atLeast === undefined ? [] : [`>= ${numberText(aim.atLeast)}${of}`];
  return [...least, ...most].join(', ');
}

/** `1.4 x a bare amqplib script` */
export function ratioText(figure: Figure): string {
  const ratio = ratioOf(figure);
  return ratio === undefined ? '' : `${numberText(ratio)} x ${figure.ceiling?.name}`;
}

const METS = { true: 'met', false: 'NOT MET', undefined: '' };
const TITLES = ['FIGURE', 'VALUE', 'UNIT', 'COMPARED WITH ITS CEILING OR PEER', 'AIM', ''];

/** A suite's figures, at most 110 columns wide; what does not fit goes on below, and so do the notes. */
export function table(name: string, figures: Figure[], remark: string): string {
  const rows = figures.map((one) => [
    one.name,
    numberText(one.value),
    one.unit,
    ratioText(one),
    aimText(one),
    METS[String(isMet(one)) as keyof typeof METS],
  ]);
  const widths = widthsOf([TITLES, ...rows]);
  const lines = [TITLES, ...rows].flatMap((row, i) => {
    const note = figures[i - 1]?.note;
    const notes = note ? wrap(note, WIDTH - 4).map((line) => `    ${line}`) : [];
    return [...rowLines(row, widths), ...notes];
  });
  return `${[`${name}${remark ? `, ${remark}` : ''}`, ...lines].join('\n')}\n`;
}

const GAP = 2;
const NAME = 0;
const COMPARED = 3;

/** Names and comparisons share what the others leave. */
function widthsOf(rows: string[][]): number[] {
  const needed = TITLES.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const fixed = needed.reduce((sum, one, i) => sum + (i === NAME || i === COMPARED ? 0 : one), 0);
  const free = WIDTH - GAP * (TITLES.length - 1) - fixed;
  const [name, compared] = [needed[NAME] ?? 0, needed[COMPARED] ?? 0];
  if (name + compared <= free) return needed;
  const half = Math.floor(free / 2);
  const forName = Math.min(name, Math.max(half, free - compared));
  return needed.with(NAME, forName).with(COMPARED, free - forName);
}

function rowLines(row: string[], widths: number[]): string[] {
  const cells = row.map((cell, i) => wrap(cell, widths[i] ?? 0));
  const height = Math.max(...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = cells.map((cell, i) => {
      const text = cell[line] ?? '';
      return i === 1 ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
    });
    return parts.join(' '.repeat(GAP)).trimEnd();
  });
}

/** Between words; a word that is too long is cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((one) => pieces(one, width))) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function pieces(word: string, width: number): string[] {
  const size = Math.max(1, width);
  const count = Math.max(1, Math.ceil(word.length / size));
  return Array.from({ length: count }, (_, i) => word.slice(i * size, (i + 1) * size));
}
