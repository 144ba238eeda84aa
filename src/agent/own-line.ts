import { LEVELS, type Level, type LogLine } from '../lib/log-lines.ts';

const isLevel = (word: unknown): word is Level => (LEVELS as readonly unknown[]).includes(word);

/** What the agent writes into its file, as a line for people: its message, then the other fields. */
export function ownLine(json: string): LogLine | undefined {
  try {
    const {
      level,
      time,
      msg,
      host: _,
      version: __,
      task,
      ...rest
    } = JSON.parse(json) as Record<string, unknown>;
    const about = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
    const line = {
      at: Date.parse(String(time)),
      level: isLevel(level) ? level : 'info',
      text: `${msg ?? ''}${about}`,
    };
    return typeof task === 'string' ? { ...line, task } : line;
  } catch {
    return undefined;
  }
}
