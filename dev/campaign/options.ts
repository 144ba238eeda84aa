import { parseArgs } from 'node:util';

export type Options = { seed: number; seconds: number; hosts: number; json: boolean; help: boolean };

export const HELP = `Usage: npm run campaign -- outage [OPTIONS]

Breaks what a fleet stands on while it is at work, for minutes, by a schedule made from a seed: broker, database,
dispatchers, agents and the links of single hosts, one across the other. Then all of it is mended, the fleet comes to
rest, and a checker reads database, journals, disks and queues for anything that was lost, done twice or left over.

  --seed NUMBER      repeats the schedule of an earlier campaign, 0 to 4294967295 (default: a new one)
  --minutes NUMBER   how long things break, 0.5 to 600 (default: 10)
  --hosts NUMBER     how many hosts, 1 to 100 (default: 20)
  --json             print exactly one JSON object; how it goes is told on stderr
  --help             print this

It starts a RabbitMQ and a MariaDB of its own, whatever MEGA_TEST_RABBITMQ and MEGA_TEST_MYSQL say, since it kills
them. As root and with iproute2, some hosts get networks of their own, whose cables are pulled.

Exit codes: 0 nothing was wrong; 1 something was, and the folder with the evidence is kept; 2 wrong usage; 130 ended
before that by Ctrl-C.

Examples:
  npm run campaign -- outage --minutes 5
  npm run campaign -- outage --seed 7 --minutes 10 --hosts 20
`;

/** The command line cannot be meant so; the message is one line. */
export class UsageError extends Error {
  override name = 'UsageError';
}

const MOST_SEED = 2 ** 32 - 1;

export function parseOptions(argv: string[], newSeed: () => number): Options {
  const { values, positionals } = parse(argv);
  const { json, help } = values;
  if (!help && (positionals.length !== 1 || positionals[0] !== 'outage')) {
    throw new UsageError('name the campaign, of which there is one: outage');
  }
  const seed = values.seed === undefined ? newSeed() : number('--seed', values.seed, 0, MOST_SEED, /^\d+$/);
  const minutes = number('--minutes', values.minutes, 0.5, 600, /^\d+(\.\d+)?$/);
  const hosts = number('--hosts', values.hosts, 1, 100, /^\d+$/);
  return { seed, seconds: minutes * 60, hosts, json, help };
}

function number(name: string, text: string, least: number, most: number, form: RegExp): number {
  const value = form.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} must be a number from ${least} to ${most}, not "${text}"`);
}

function parse(argv: string[]) {
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    hosts: { type: 'string', default: '20' },
    json: flag,
    help: flag,
  } as const;
  try {
    return parseArgs({ args: argv, options, allowPositionals: true });
  } catch (cause) {
    const [first = 'wrong usage'] = (cause as Error).message.split(/[.\n]/);
    throw new UsageError(first.charAt(0).toLowerCase() + first.slice(1), { cause });
  }
}
