import { parseArgs } from 'node:util';

export type Options = { hosts: number; once: boolean; json: boolean; help: boolean };

export const HELP = `Usage: npm run demo [-- OPTIONS]

Starts a RabbitMQ, a MariaDB, a dispatcher and a few hosts on this machine, upgrades the hosts, and shows two broken
releases going back by themselves. Then it stays, to be looked at and played with, until Ctrl-C ends all of it.

  --hosts NUMBER   how many hosts, 1 to 50 (default: 5)
  --once           end after the summary
  --json           print exactly one JSON object; how it goes is told on stderr
  --help           print this

Servers of your own serve instead when MEGA_TEST_RABBITMQ and MEGA_TEST_MYSQL name them both; see dev/setup.sh.

Exit codes: 0 all went as it should; 1 something did not; 2 wrong usage; 130 ended before that by Ctrl-C.

Examples:
  npm run demo -- --hosts 3 --once
  npm run --silent demo -- --once --json     (npm without --silent prints two lines of its own on stdout)
`;

/** The command line cannot be meant so; the message is one line. */
export class UsageError extends Error {
  override name = 'UsageError';
}

const mostHosts = 50;

export function parseOptions(argv: string[]): Options {
  const { hosts, ...flags } = parse(argv);
  const count = /^\d{1,3}$/.test(hosts) ? Number(hosts) : 0;
  if (count < 1 || count > mostHosts) {
    throw new UsageError(`--hosts must be a whole number from 1 to ${mostHosts}, not "${hosts}"`);
  }
  return { hosts: count, ...flags };
}

function parse(argv: string[]) {
  const flag = { type: 'boolean', default: false } as const;
  const known = { hosts: { type: 'string', default: '5' }, once: flag, json: flag, help: flag } as const;
  try {
    return parseArgs({ args: argv, options: known }).values;
  } catch (cause) {
    // Node's advice after the first sentence is about positional arguments, of which there are none.
    const [first = 'wrong usage'] = (cause as Error).message.split(/[.\n]/);
    throw new UsageError(first.charAt(0).toLowerCase() + first.slice(1), { cause });
  }
}
