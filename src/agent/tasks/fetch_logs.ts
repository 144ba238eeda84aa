import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, MegaError, withoutSecrets } from '../../lib/errors.ts';
import type { Home } from '../../lib/home.ts';
import { type FetchLogs, fetchLogs } from '../../lib/orders.ts';
import { argsOf } from './args.ts';
import type { TaskType } from './task.ts';

/** Of so much of a log's end the lines are looked for that hold a text. */
const MOST_SEARCHED = 4 << 20;

/** Tells the end of one of our own logs, for whoever has no other way to the host. */
export const fetchLogsTask: TaskType = {
  name: 'fetch_logs',
  lane: 'control',
  onCrash: 'again',
  run: async ({ room, entry }) => {
    const asked = argsOf(fetchLogs, entry.order.args);
    const path = pathOf(room.home, asked.file);
    return { state: 'succeeded', output: { file: path, ...(await endOf(path, asked)) } };
  },
};

const pathOf = (home: Home, file: FetchLogs['file']) =>
  file === 'agent' ? home.log : join(home.root, 'log', 'loader.log');

async function endOf(
  path: string,
  { bytes: most, grep }: FetchLogs,
): Promise<{ bytes: number; text: string }> {
  const { size, end } = await readEnd(path, grep === undefined ? most : MOST_SEARCHED);
  const whole = end.length === size ? end : end.subarray(end.indexOf('\n') + 1); // lines, not parts of them
  const text = withoutSecrets(whole.toString('utf8').toWellFormed());
  const lines = grep === undefined ? text : linesWith(text, grep);
  return { bytes: size, text: lastOf(lines, most) };
}

async function readEnd(path: string, most: number): Promise<{ size: number; end: Buffer }> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, most));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
    return { size, end: buffer.subarray(0, bytesRead) };
  } catch (error) {
    throw new MegaError(
      'no_log',
      `${path} cannot be read (${codeOf(error)}): where the service runs under systemd, the loader speaks to its journal`,
    );
  }
}

function linesWith(text: string, grep: string): string {
  const lines = text.split('\n').filter((line) => line.includes(grep));
  return lines.map((line) => `${line}\n`).join('');
}

/** Whole lines, `most` bytes of them. */
function lastOf(text: string, most: number): string {
  if (Buffer.byteLength(text) <= most) return text;
  const cut = Buffer.from(text).subarray(-most).toString('utf8');
  return cut.slice(cut.indexOf('\n') + 1);
}
