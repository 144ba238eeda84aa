import { Command, CommanderError } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { addRotate, rotateRequest } from '../host/rotate.ts';
import { addPing, pingRequest } from '../ping.ts';
import { addRun, runRequest } from '../run.ts';
import { quoted } from '../text.ts';
import { addUpgrade, upgradeRequest } from '../upgrade.ts';
import type { Room } from '../world.ts';

/** The commands that make jobs, each with the call that it stands for. */
export type Request = { fn: string; args: object };
type Reader = (command: Command) => Promise<Request>;

const READERS: Record<string, Reader> = {
  upgrade: async (command) => ({ fn: 'client_upgrade', args: await upgradeRequest(command.opts()) }),
  ping: async (command) => ({ fn: 'ping', args: await pingRequest(command.opts()) }),
  run: async (command) => ({ fn: 'remote_cmd', args: await runRequest(command.opts(), command.args) }),
  'host rotate': async (command) => ({
    fn: 'rotate_secret',
    args: await rotateRequest(command.opts(), command.args),
  }),
};

/**
 * The call that a command stands for, such as `upgrade --to 1.2.0 --on all`: it is read by the command itself, with all
 * its options, and only what it does is exchanged. Error: `bad_argument`.
 */
export async function requestOf(words: string[], room: Room): Promise<Request> {
  let found: Request | undefined;
  const program = commandsThatMakeJobs(room);
  for (const [name, read] of Object.entries(READERS)) {
    const command = named(program, name.split(' '));
    command.action(async () => {
      found = await read(command);
    });
  }
  try {
    await program.parseAsync(words[0] === 'mega' ? words.slice(1) : words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const why = error.message.replace(/^error: /, '').replace(/\.$/, '');
    throw new InputError('bad_argument', `the command after "--" cannot be read: ${why}`);
  }
  if (found) return found;
  const said = words.map(quoted).join(' ');
  throw new InputError('bad_argument', `"${said}" makes no job; ${Object.keys(READERS).join(', ')} do`);
}

function commandsThatMakeJobs(room: Room): Command {
  const silent = { writeOut: () => undefined, writeErr: () => undefined };
  const program = new Command('mega').exitOverride().configureOutput(silent);
  const host = program.command('host');
  addUpgrade(program, room);
  addPing(program, room);
  addRun(program, room);
  addRotate(host, room);
  return program;
}

function named(program: Command, names: string[]): Command {
  let command = program;
  for (const name of names) command = command.commands.find((one) => one.name() === name) ?? command;
  return command;
}
