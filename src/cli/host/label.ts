import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import { LABEL_NAME, type LabelChanges } from '../../lib/labels.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { count } from '../text.ts';
import { act, example, type Room } from '../world.ts';

/** `mega host label`: what hosts are called by. */
export function addLabel(host: Command, room: Room): void {
  const label = host
    .command('label <words...>')
    .usage('[<host>] <name=value...> <name-...> [options]')
    .description('give labels to a host, or to those of --on; a name with - behind it takes that label away');
  mayTakeHosts(label).action(
    act<HostsOptions, [string[]]>(room, async (options, words) => {
      const named = options.on ? [] : words.slice(0, 1);
      const labels = changesOf(words.slice(named.length));
      const on = await hostsOf(options, named);
      const told = await withSender(options, (call) => {
        return callSurely<{ hosts: number; changed: number }>(call, 'mod_server', { on, labels });
      });
      room.out.write(`${count(told.hosts, 'host')}, ${told.changed} changed\n`);
      return EXIT.good;
    }),
  );
  example(label, 'mega host label db-01 role=replica dc-', "mega host label --on 'db-*' dc=hz");
}

function changesOf(words: string[]): LabelChanges {
  if (words.length === 0)
    throw new InputError('bad_argument', 'name the labels, such as role=replica, or dc-');
  return Object.fromEntries(words.map(changeIn));
}

function changeIn(word: string): [name: string, value: string | null] {
  const at = word.indexOf('=');
  if (at > 0 && at < word.length - 1) return [word.slice(0, at), word.slice(at + 1)];
  if (at < 0 && word.endsWith('-') && LABEL_NAME.test(word.slice(0, -1))) return [word.slice(0, -1), null];
  throw new InputError(
    'bad_argument',
    `"${word}" is neither a label such as role=replica, nor one to go such as dc-`,
  );
}
