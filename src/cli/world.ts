import { type Command, InvalidArgumentError } from 'commander';

/** What a command may write to: a terminal, a pipe, or in tests an array. */
export type Output = {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  rows?: number | undefined;
  /** Of a terminal: whether it has them, and its user wants them ($NO_COLOR). */
  hasColors?(): boolean;
  /** Of a terminal: its user has changed its size. */
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
};

/** What a command has around it. Only main.ts touches the process itself. */
export type World = {
  out: Output;
  err: Output;
  /** The terminal cannot rewrite what stands there. */
  dumb?: boolean;
  /** From the first time it is called, Ctrl-C aborts this signal instead of ending the process. */
  interrupt(): AbortSignal;
  /** Asks a person for what the terminal is not to show; undefined where there is no terminal. */
  askSecret?: ((question: string) => Promise<string>) | undefined;
};

/** The options that every command knows. */
export type Globals = { config?: string; timeout: number; warn?(text: string): void };

/** Where a command leaves its exit code. */
export type Room = World & { exitCode: number };

/** Makes a commander action of a function that is given its options first and returns the exit code. */
export function act<O extends object, A extends unknown[] = string[]>(
  room: Room,
  run: (options: O & Globals, ...args: A) => Promise<number>,
) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const args = given.slice(0, -2) as A;
    const warn = (text: string) => room.err.write(`mega: warning: ${text}\n`);
    room.exitCode = await run({ ...(command.optsWithGlobals() as O & Globals), warn }, ...args);
  };
}

export function example(command: Command, ...lines: string[]): Command {
  const title = lines.length === 1 ? 'Example' : 'Examples';
  return command.addHelpText('after', `\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

export const JSON_FLAG = ['--json', 'print exactly one JSON document'] as const;

/** For options that may be given many times. */
export const collect = (value: string, earlier: string[] = []) => [...earlier, value];

export function number(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
  };
}

export function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    if (/^\d+$/.test(text)) return number(least, most)(text);
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

export function choice(words: readonly string[]) {
  return (text: string): string => {
    if (words.includes(text)) return text;
    throw new InvalidArgumentError(`It must be one of ${words.join(', ')}.`);
  };
}

const UNIT = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const;

/** `16K`, `512M`, in bytes, by powers of 1024. */
export function size(least: number, most: number) {
  return (text: string): number => {
    const [, count, unit = ''] = /^(\d{1,12})([KMGT]?)$/i.exec(text) ?? [];
    const bytes = Number(count) * UNIT[unit.toUpperCase() as keyof typeof UNIT];
    if (bytes >= least && bytes <= most) return bytes;
    throw new InvalidArgumentError(`It must be a size such as 16K or 512M, from ${least} to ${most} bytes.`);
  };
}
