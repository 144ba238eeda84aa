import { styleText } from 'node:util';
import { cut } from '../text.ts';
import type { Output } from '../world.ts';
import type { Snapshot } from './follow.ts';
import { type Line, pictureOf, type Size } from './picture.ts';
import { Tracker } from './track.ts';
import { Progress, type View } from './view.ts';

const CLEAR_ALL = '\x1b[2J\x1b[H';
const CLEAR_BELOW = '\x1b[0J';
/**
 * What is too long is cut off rather than continued on the next row, which would upset the count of rows: how wide a letter
 * is only the terminal knows.
 */
const [NO_WRAP, WRAP] = ['\x1b[?7l', '\x1b[?7h'];

/** For a terminal: the job's picture, rewritten in place. */
export function screenView(output: Output): View {
  const tracker = new Tracker();
  const progress = new Progress();
  let seen: Snapshot | undefined;
  let trouble: string | undefined;
  let drawn: { rows: number; size: Size } | undefined;
  const draw = () => {
    if (!seen) return;
    const size = sizeOf(output);
    const shown = {
      seen,
      standings: [...tracker.standings.values()],
      pace: progress.tell(seen.job),
      trouble,
    };
    const lines = pictureOf(shown, size);
    const text = lines.map((line) => `${tinted(output, line, size.columns)}\n`).join('');
    output.write(`${startOver(drawn, size)}${NO_WRAP}${text}${WRAP}`);
    drawn = { rows: lines.length, size };
  };
  output.on?.('resize', draw);
  return {
    show: (snapshot) => {
      seen = snapshot;
      trouble = undefined;
      tracker.update(seen.tasks);
      progress.see(seen.job);
      draw();
    },
    note: (text) => {
      trouble = text;
      if (seen) draw();
      else output.write(`${cut(text, sizeOf(output).columns)}\n`);
    },
    close: () => void output.off?.('resize', draw),
  };
}

/** A full line would wrap. */
const sizeOf = ({ columns = 80, rows = 24 }: Output): Size => ({ columns: columns - 1, rows });

/** Terminals move what stood there when their size changes, each in its own way: then all is drawn anew. */
function startOver(drawn: { rows: number; size: Size } | undefined, size: Size): string {
  if (!drawn) return '';
  if (drawn.size.columns !== size.columns || drawn.size.rows !== size.rows) return CLEAR_ALL;
  return `\x1b[${drawn.rows}A\r${CLEAR_BELOW}`;
}

function tinted(output: Output, { text, tint }: Line, width: number): string {
  const line = cut(text, width);
  return tint && output.hasColors?.() ? styleText(tint, line, { validateStream: false }) : line;
}
