import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { LEVELS, type Level } from '../lib/log-lines.ts';
import type { Call } from '../lib/sender.ts';
import { sleep } from '../lib/utils.ts';
import { duration } from './duration.ts';
import { EXIT, isUnavailable } from './exit.ts';
import { withSender } from './session.ts';
import { printJson } from './table.ts';
import { hostsOf, mayTakeHosts } from './targets.ts';
import { clean } from './text.ts';
import { act, example, JSON_FLAG, type Output, type Room, wholeNumber } from './world.ts';

type Line = {
  id: number;
  host: string;
  at: string;
  keptAt: string;
  level: Level;
  task: string | null;
  script: string | null;
  text: string;
};
type LogsOptions = {
  on?: string[];
  task?: string;
  level?: Level;
  since: number;
  grep?: string;
  limit: number;
  follow?: true;
  json?: true;
};

const LINES_A_CALL = 1_000;
const LOOK_MS = 1_000;
/** Lines are kept in the order of commits and not of their times: what was on its way is looked at again. */
const OVERLAP_MS = 5_000;

/** `mega logs`: what hosts and their scripts wrote. */
export function addLogs(program: Command, room: Room): void {
  const logs = program
    .command('logs')
    .description('show what agents and their scripts wrote, in order of time')
    .option('--task <id>', 'only what belongs to this task')
    .option('--level <level>', `only this level and graver ones: ${LEVELS.join(', ')}`, level)
    .option('--since <duration>', 'only the last 15m, 1h, 14d', duration, 3_600_000)
    .option('--grep <text>', 'only lines with this text, in upper or lower case')
    .option('--limit <number>', 'how many at most, the latest ones', wholeNumber(1, 100_000), 1_000)
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option(...JSON_FLAG);
  mayTakeHosts(logs).action(
    act<LogsOptions>(room, async (given) => {
      const options = { ...given, ...(given.on ? { on: await hostsOf(given) } : {}) };
      return withSender(options, async (call) => {
        const lines = await latest(call, options);
        if (options.json && !options.follow) printJson(room.out, lines);
        else for (const one of lines) print(room.out, one, options);
        return options.follow ? follow(room, call, options, lines) : EXIT.good;
      });
    }),
  );
  example(logs, "mega logs --on 'db-*' --since 15m --level warn", 'mega logs --grep backup -f');
}

function level(text: string): Level {
  if ((LEVELS as readonly string[]).includes(text)) return text as Level;
  throw new InvalidArgumentError(`It must be one of ${LEVELS.join(', ')}.`);
}

const filterOf = ({ on, task, level: least, grep }: LogsOptions) => ({ on, task, level: least, grep });

/** The latest lines, in order of time. */
async function latest(call: Call, options: LogsOptions): Promise<Line[]> {
  const since = new Date(Date.now() - options.since).toISOString();
  const all: Line[][] = [];
  for (let left = options.limit; left > 0; ) {
    const [first] = all[0] ?? [];
    const before = first && { at: first.at, id: first.id };
    const limit = Math.min(LINES_A_CALL, left);
    const page = await call<Line[]>('get_logs', { ...filterOf(options), since, before, limit });
    if (page.length === 0) break;
    all.unshift(page);
    left -= page.length;
  }
  return all.flat();
}

async function follow(room: Room, call: Call, options: LogsOptions, shown: Line[]): Promise<number> {
  const signal = room.interrupt();
  const seen = new Map(shown.map((one) => [one.id, Date.parse(one.keptAt)]));
  let from = Math.max(0, ...seen.values()) || Date.now();
  let trouble = false;
  while (!signal.aborted) {
    try {
      const keptFrom = new Date(from - OVERLAP_MS).toISOString();
      const lines = await call<Line[]>('get_logs', { ...filterOf(options), keptFrom, limit: LINES_A_CALL });
      for (const one of lines.filter(({ id }) => !seen.has(id))) print(room.out, one, options);
      for (const { id, keptAt } of lines) seen.set(id, Date.parse(keptAt));
      from = Math.max(from, ...lines.map((one) => Date.parse(one.keptAt)));
      for (const [id, at] of seen) if (at < from - 2 * OVERLAP_MS) seen.delete(id);
      trouble = false;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      if (!trouble) room.err.write('mega: no answer; trying again\n');
      trouble = true;
    }
    await sleep(LOOK_MS, signal).catch(() => undefined);
  }
  return EXIT.interrupted;
}

function print(out: Output, one: Line, { json }: LogsOptions): void {
  if (json) out.write(`${JSON.stringify(one)}\n`);
  else {
    const time = one.at.slice(0, 23).replace('T', ' ');
    const script = one.script === null ? '' : ` ${one.script}`;
    out.write(`${clean(`${time} ${one.host}${script} ${one.level.padEnd(5)} ${one.text}`)}\n`);
  }
}
