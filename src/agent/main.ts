import { parseArgs } from 'node:util';
import { type AgentConfig, loadAgentConfig } from '../lib/config.ts';
import { codeOf, describe, InputError, UnavailableError } from '../lib/errors.ts';
import { homeAt, readManifest } from '../lib/home.ts';
import { createLogger, reopenLogs } from '../lib/logs.ts';
import { askForUpgrade } from './ask.ts';
import { joinFleet } from './join.ts';
import { type Ending, type Release, selfTest, startAgent } from './run.ts';
import { Shipper } from './shipper.ts';

/**
 * Entry point of the agent, started by the loader:
 *
 *     agent.mjs run --home DIR         until SIGTERM; or until an upgrade wants another release
 *     agent.mjs self-test --home DIR   does this release load here?
 *     agent.mjs upgrade --home DIR [--to VERSION]
 *     agent.mjs join --home DIR [--name NAME]   the token on standard input
 */
const EXIT: Record<Ending, number> = { stopped: 0, restart: 75, orphaned: 0 };
const EXIT_HOME_IN_USE = 111;
const USAGE = `usage: mega_client upgrade [--to VERSION]     ask for this host's own upgrade; without --to: the newest
       mega_client join [--name NAME]         join the fleet; the token is read from standard input
       mega agent run --home DIR           what the loader starts
       mega agent self-test --home DIR     does this release load here?

example: mega_client upgrade --to 1.1.0
         mega_client join <token.txt
`;

async function run(config: AgentConfig, release: Release): Promise<number> {
  const { home, host, spoolBytes, shipLevel, logLevel } = config;
  const shipper = new Shipper({ folder: home.spool, maxBytes: spoolBytes, host, level: shipLevel });
  const logger = createLogger({
    file: home.log,
    level: logLevel,
    base: { host, version: release.version },
    also: (line) => shipper.takeOwn(line),
  });
  const agent = await startAgent(config, release, logger, shipper);
  const stop = () => {
    process.once('SIGTERM', () => process.exit(143));
    agent.stop('stopped');
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.on('SIGHUP', reopenLogs);
  const ending = await agent.ended;
  logger.info({ ending }, 'the agent has stopped');
  return EXIT[ending];
}

async function main(): Promise<number> {
  const words = { home: { type: 'string' }, to: { type: 'string' }, name: { type: 'string' } } as const;
  const options = { ...words, help: { type: 'boolean' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help || !values.home || positionals.length > 1) {
    (values.help ? process.stdout : process.stderr).write(USAGE);
    return values.help ? 0 : 2;
  }
  if (positionals[0] === 'join') {
    const host = await joinFleet(homeAt(values.home), process.stdin, values.name);
    process.stdout.write(`joined as ${host}\n`);
    return 0;
  }
  const config = loadAgentConfig(homeAt(values.home));
  const folder = import.meta.dirname;
  const release = { folder, version: readManifest(folder)?.version ?? '0.0.0-development' };
  const command = positionals[0] ?? 'run';
  if (command === 'run') return run(config, release);
  if (command === 'self-test') await selfTest(config, release);
  else if (command === 'upgrade')
    await askForUpgrade(config, values.to, (line) => process.stdout.write(`${line}\n`));
  else {
    process.stderr.write(USAGE);
    return 2;
  }
  return 0;
}

/** Of the dispatcher's errors the code tells what kind they are. */
const BAD_INPUT = /^(unknown|bad|token)_|^(name_taken|cloned|ERR_PARSE_ARGS.*)$/;

/** As the command line's: 2 for what is wrong with the input, 3 for what may be had later. */
function exitOf(error: unknown): number {
  const code = codeOf(error);
  if (code === 'home_in_use') return EXIT_HOME_IN_USE;
  if (error instanceof UnavailableError) return 3;
  return error instanceof InputError || BAD_INPUT.test(code) ? 2 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`mega agent: ${describe(error)}\n`);
  process.exit(exitOf(error));
}
