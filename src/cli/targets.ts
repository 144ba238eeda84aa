import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { codeOf, InputError } from '../lib/errors.ts';
import { collect } from './world.ts';

/** `--on`, the same for every command that is about hosts; what a term may be the dispatcher knows (get_all_server). */
export type HostsOptions = { on?: string[] };

const ON = ['--on <hosts>', 'who is meant (see below); may be given again', collect] as const;
const HELP = `
Hosts (--on):
  all                  every host
  db-01, 'db-*'        by name
  role=replica         by label; also role!=replica, 'role=r*'
  'version<1.4'        also <=, =, >=, >, !=
  status=online        or away, held, cut_off
  fact.os=debian       by what the host tells of itself
  role=replica,dc=hz   both
  '!db-01'             but not this one
  @FILE, -             a file or standard input: one a line, # begins a comment`;

/** For a command that is given its hosts by `--on` alone. */
export function hostsOption(command: Command): Command {
  return command.requiredOption(...ON).addHelpText('after', HELP);
}

/** For a command that also takes them otherwise, or does without. */
export function mayTakeHosts(command: Command): Command {
  return command.option(...ON).addHelpText('after', HELP);
}

/** The terms, those of files included; `named` are hosts given as arguments. Error: `bad_argument`, also for none. */
export async function hostsOf(options: HostsOptions, named: string[] = []): Promise<string[]> {
  const said = [...named, ...(options.on ?? [])];
  if (said.length === 0) throw new InputError('bad_argument', 'name the hosts, or give --on all');
  const all: string[] = [];
  for (const one of new Set(said)) {
    if (one === '-') all.push(...termsIn(await text(process.stdin), 'standard input'));
    else if (one.startsWith('@')) all.push(...termsIn(read(one.slice(1)), one.slice(1)));
    else all.push(one);
  }
  return all;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError('bad_argument', `the file of hosts ${file} cannot be read: ${codeOf(error)}`);
  }
}

/** A file that names nobody is a mistake, and must not be taken for all. */
function termsIn(content: string, where: string): string[] {
  const lines = content.replace(/^\ufeff/, '').split(/\r?\n/);
  const terms = lines.map((line) => line.replace(/(^|\s)#.*$/, '').trim()).filter((line) => line !== '');
  if (terms.length === 0) throw new InputError('bad_argument', `${where} names no host`);
  return terms;
}
