import { aimText, isMet, numberText, ratioOf, ratioText } from './report.ts';
import type { Result } from './results.ts';
import type { Figure } from './suite.ts';

/**
 * All results as one picture: a bar for each figure, with a mark where its ceiling or peer is and one where its aim
 * is, each on a scale of its own, since their units differ. Plain SVG that reads well on a light and on a dark page.
 */
const WIDTH = 1000;
const LEFT = 24;
const BAR_AT = 372;
const BAR_WIDTH = 250;
const TEXT_AT = BAR_AT + BAR_WIDTH + 16;
const ROW = 26;
const BAR = 14;
const GROUP_HEAD = 44;
const HEAD = 92;
const FOOT = 64;
const MOST_LETTERS = 50;
const MOST_TOLD = 46;
/** More than that used by others, and only ratios can be trusted. */
const BUSY = 0.2;

const STYLE = `
    text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #24292f; }
    .title { font-size: 20px; font-weight: 600; }
    .group { font-size: 15px; font-weight: 600; }
    .soft { fill: #636c76; font-size: 12px; }
    .value { font-weight: 600; }
    .track { fill: #eef1f4; }
    .plain { fill: #6e9bd1; }
    .met { fill: #3fa266; }
    .missed { fill: #d9822b; }
    .ceiling { stroke: #24292f; stroke-width: 2; }
    .aim { stroke: #24292f; stroke-width: 2; stroke-dasharray: 3 2; }
    .page { fill: #ffffff; }
    .rule { stroke: #d8dee4; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .soft { fill: #9198a1; }
      .track { fill: #21262d; }
      .plain { fill: #4f7fb8; }
      .ceiling, .aim { stroke: #e6edf3; }
      .page { fill: #0d1117; }
      .rule { stroke: #30363d; }
    }`;

export function picture(results: Result[]): string {
  const groups = results
    .map((result) => ({ ...result, figures: result.figures.filter(isShown) }))
    .filter(({ figures }) => figures.length > 0);
  let at = HEAD;
  const parts = groups.map((group) => {
    const drawn = drawGroup(group, at);
    at += GROUP_HEAD + group.figures.length * ROW;
    return drawn;
  });
  const height = at + FOOT;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Measured performance">`;
  const page = `<rect class="page" width="${WIDTH}" height="${height}" rx="8"/>`;
  return `${[open, `  <style>${STYLE}\n  </style>`, `  ${page}`, ...drawHead(), ...parts, ...drawFoot(groups, height - FOOT), '</svg>'].join('\n')}\n`;
}

/** Without anything to compare it with, a bar says nothing. */
const isShown = (figure: Figure) =>
  Number.isFinite(figure.value) && (ratioOf(figure) !== undefined || figure.aim !== undefined);

function drawHead(): string[] {
  const y = 66;
  return [
    text(LEFT, 36, 'Measured, and compared in the same run', 'title'),
    box(LEFT, y - 10, 20, 'met', 10),
    text(LEFT + 27, y, 'aim met', 'soft'),
    box(LEFT + 92, y - 10, 20, 'missed', 10),
    text(LEFT + 119, y, 'aim not met', 'soft'),
    box(LEFT + 206, y - 10, 20, 'plain', 10),
    text(LEFT + 233, y, 'without an aim', 'soft'),
    line(LEFT + 342, y - 11, y + 1, 'ceiling'),
    text(LEFT + 350, y, 'ceiling or peer, measured beside it', 'soft'),
    line(LEFT + 578, y - 11, y + 1, 'aim'),
    text(LEFT + 586, y, 'aim', 'soft'),
    text(LEFT + 636, y, 'each bar has a scale of its own', 'soft'),
  ];
}

function drawGroup({ suite, figures, quick }: Result, top: number): string {
  const rule = `  <line class="rule" x1="${LEFT}" x2="${WIDTH - LEFT}" y1="${top}" y2="${top}"/>`;
  const title = text(LEFT, top + 27, `${suite}${quick ? ' (a quick run)' : ''}`, 'group');
  const rows = figures.map((figure, i) => drawRow(figure, top + GROUP_HEAD + i * ROW));
  return [rule, title, ...rows].join('\n');
}

function drawRow(figure: Figure, top: number): string {
  const { name, value, unit, ceiling } = figure;
  const aim = aimValue(figure);
  const most = Math.max(value, ceiling?.value ?? 0, aim ?? 0) * 1.04 || 1;
  const x = (one: number) => BAR_AT + Math.max(0, one / most) * BAR_WIDTH;
  const met = isMet(figure);
  const middle = top + BAR / 2 + 4.5;
  const told = `${numberText(value)} ${unit}`;
  return [
    text(LEFT, middle, cut(name), ''),
    box(BAR_AT, top, BAR_WIDTH, 'track'),
    box(BAR_AT, top, Math.max(1, x(value) - BAR_AT), met === undefined ? 'plain' : met ? 'met' : 'missed'),
    ...(ceiling ? [line(x(ceiling.value), top - 3, top + BAR + 3, 'ceiling')] : []),
    ...(aim === undefined ? [] : [line(x(aim), top - 3, top + BAR + 3, 'aim')]),
    `  <text x="${TEXT_AT}" y="${middle}"><tspan class="value">${escaped(told)}</tspan>` +
      `<tspan class="soft" dx="8">${escaped(cut(comparison(figure), MOST_TOLD - told.length))}</tspan></text>`,
  ].join('\n');
}

/** In the figure's own unit. */
function aimValue({ aim, ceiling }: Figure): number | undefined {
  const wanted = aim?.atMost ?? aim?.atLeast;
  if (wanted === undefined) return undefined;
  return aim?.of === 'ratio' ? wanted * (ceiling?.value ?? 0) : wanted;
}

function comparison(figure: Figure): string {
  return ratioText(figure) || `aim ${aimText(figure)}`;
}

function drawFoot(groups: Result[], top: number): string[] {
  const newest = groups.toSorted((a, b) => b.date.localeCompare(a.date))[0];
  if (!newest) return [];
  const { machine, date } = newest;
  const where = `${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB, ${machine.system}, Node.js ${machine.node}, RabbitMQ ${machine.rabbitmq}, MariaDB ${machine.mariadb}`;
  const busy = groups.some((one) => one.machine.busyBefore > BUSY);
  const trust = busy ? ' Others used the machine, too: trust ratios, not values.' : '';
  const how = `${date.slice(0, 10)}, by npm run bench; all parts share these cores.${trust}`;
  return [text(LEFT, top + 28, where, 'soft'), text(LEFT, top + 46, how, 'soft')];
}

const cut = (words: string, most = MOST_LETTERS) =>
  words.length > most ? `${words.slice(0, most - 1).trimEnd()}…` : words;

const text = (x: number, y: number, words: string, kind: string) =>
  `  <text${kind ? ` class="${kind}"` : ''} x="${x}" y="${y}">${escaped(words)}</text>`;

const box = (x: number, y: number, width: number, kind: string, height = BAR) =>
  `  <rect class="${kind}" x="${x}" y="${y}" width="${round(width)}" height="${height}" rx="2"/>`;

const line = (x: number, from: number, to: number, kind: string) =>
  `  <line class="${kind}" x1="${round(x)}" x2="${round(x)}" y1="${from}" y2="${to}"/>`;

const round = (value: number) => Math.round(value * 10) / 10;

const escaped = (words: string) =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
