import { Command, CommanderError } from 'commander';
import { describe } from '../lib/errors.ts';
import { addAlert } from './alert.ts';
import { addApi } from './api.ts';
import { addAudit } from './audit.ts';
import { addCerts } from './certs.ts';
import { addDoctor } from './doctor.ts';
import { EXIT_HELP, exitCodeOf } from './exit.ts';
import { addFreeze } from './freeze.ts';
import { addHost } from './host.ts';
import { addJob } from './job.ts';
import { addKeys } from './keys.ts';
import { addLogs } from './logs.ts';
import { addMail } from './mail.ts';
import { addPackage } from './package.ts';
import { addPing } from './ping.ts';
import { ownVersion } from './root.ts';
import { addRun } from './run.ts';
import { addSchedule } from './schedule.ts';
import { addSetup } from './setup.ts';
import { addTask } from './task.ts';
import { clean } from './text.ts';
import { addToken } from './token.ts';
import { addUpgrade } from './upgrade.ts';
import { addUser } from './user.ts';
import { addWindow } from './window.ts';
import { number, type Room, type World } from './world.ts';

/** Runs one command to its end and returns the exit code; errors become one line on `err`. */
export async function run(argv: string[], world: World): Promise<number> {
  const room: Room = { ...world, exitCode: 0 };
  // Commander would take a long `--version` away from `package build --version`.
  const words = argv.length === 1 && argv[0] === '--version' ? ['-V'] : argv;
  try {
    await createProgram(room).parseAsync(words, { from: 'user' });
    return room.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) world.err.write(`mega: ${clean(describe(error))}\n`);
    return exitCodeOf(error);
  }
}

export function createProgram(room: Room): Command {
  const program = new Command('mega')
    .description('Upgrades and commands a fleet of hosts through RabbitMQ.')
    .version(ownVersion(), '-V', 'print the version (as --version does)')
    .option('--config <file>', 'configuration (default: $MEGA_CONFIG, or /etc/mega/mega.json)')
    .option('--timeout <seconds>', 'how long to wait for the broker and for an answer', number(0.1, 3600), 10)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => room.out.write(text),
      writeErr: (text) => room.err.write(text),
      outputError: (text, write) => write(`mega: ${oneLine(text)}; see --help\n`),
    })
    .addHelpText('after', HELP);
  for (const add of COMMANDS) add(program, room);
  return program;
}

const COMMANDS = [
  ...[addUpgrade, addRun, addPing, addHost, addToken, addPackage, addKeys, addJob, addTask, addFreeze],
  ...[addSchedule, addWindow],
  ...[addLogs, addUser, addAudit, addApi, addDoctor, addSetup, addCerts],
  ...[addAlert, addMail],
];

const HELP = `
Processes, each with a --config or --home of its own:
  dispatcher --config FILE   run a dispatcher in the foreground
  agent run --home DIR       run a host's agent (its loader, bin/mega_client, does that)

${EXIT_HELP}

Example:
  mega upgrade --to 1.1.0 --on all`;

/** Commander's own words come with a prefix, a full stop, and perhaps a second line that guesses what was meant. */
function oneLine(text: string): string {
  return clean(text.trim().replace(/^error: /, '')).replace(/\.$/, '');
}
