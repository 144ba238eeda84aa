import { parseArgs } from 'node:util';

export type Options = { suites: string[]; quick: boolean; write: boolean; list: boolean; help: boolean };

export const HELP = `Usage: npm run bench [-- SUITE... OPTIONS]

Measures this checkout on this machine, with a broker and a database of its own, and compares each figure with a
ceiling or a peer of the same run. Without a SUITE: all of them, one after the other.

  --quick    fewer hosts and fewer rounds: for a look; nothing is written
  --write    write the results and the picture even of a quick run
  --list     name the suites
  --help     print this

Writes bench/results/SUITE.json for each suite, and docs/performance.svg from all results that are there.

Exit codes: 0 measured, whether aims are met or not; 1 a suite failed; 2 wrong usage; 130 ended by Ctrl-C.

Examples:
  npm run bench -- --list
  npm run bench -- operator agent --quick
`;

/** The command line cannot be meant so; the message is one line. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** `known`: the names of the suites that there are. */
export function parseOptions(argv: string[], known: string[]): Options {
  const { values, positionals } = parse(argv);
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`there is no suite "${unknown}" (there are: ${known.join(', ')})`);
  }
  return {
    suites: known.filter((name) => positionals.length === 0 || positionals.includes(name)),
    ...values,
  };
}

function parse(argv: string[]) {
  const flag = { type: 'boolean', default: false } as const;
  const options = { quick: flag, write: flag, list: flag, help: flag } as const;
  try {
    return parseArgs({ args: argv, options, allowPositionals: true });
  } catch (cause) {
    // Node's advice after the first sentence is about positional arguments that begin with a dash.
    const [first = 'wrong usage'] = (cause as Error).message.split(/[.\n]/);
    throw new UsageError(first.charAt(0).toLowerCase() + first.slice(1), { cause });
  }
}
