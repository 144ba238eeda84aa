import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { codeOf, InputError } from '../../lib/errors.ts';
import { MAX_BODY_BYTES } from '../../lib/messages.ts';
import { formatSize } from '../../lib/utils.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { clean, count } from '../text.ts';
import { act, example, JSON_FLAG, type Output, type Room } from '../world.ts';
import { grouped, readInventory } from './inventory.ts';

type Said = { labels: Record<string, string>; hold: { reason: string; until: string | null } | null };
type Imported = {
  applied: boolean;
  hosts: number;
  unknown: string[];
  changes: { host: string; before: Said; after: Said }[];
};
type ImportOptions = { skipUnknown?: true; dryRun?: true; json?: true };

/** It locks the rows of all hosts that it names. */
const IMPORT_MS = 60_000;
/** For what stands around it. */
const ENVELOPE_BYTES = 10_000;

/** `mega host import`: labels and holds from a file. */
export function addImport(host: Command, room: Room): void {
  const command = host
    .command('import <file>')
    .description(
      'set labels and holds as a file says (json or csv; - is standard input), all or nothing. What the file does not ' +
        'name stays; null or an empty cell takes away',
    )
    .option(
      '--skip-unknown',
      'pass over hosts that are not in the fleet (without: nothing is changed, exit code 1)',
    )
    .option('--dry-run', 'only show what would change')
    .option(...JSON_FLAG);
  command.action(
    act<ImportOptions>(room, async ({ skipUnknown = false, dryRun = false, json, ...globals }, file) => {
      const changes = grouped(readInventory(await contentOf(file!)));
      requireFit(changes);
      const done = await withSender(globals, (call) => {
        return callSurely<Imported>(call, 'import_server', { changes, skipUnknown, dryRun }, IMPORT_MS);
      });
      if (json) printJson(room.out, done);
      else tell(room.out, done, dryRun);
      return tellUnknown(room.err, done.unknown, skipUnknown);
    }),
  );
  example(command, 'mega host import hosts.csv --dry-run', 'mega host import hosts.json --skip-unknown');
}

function contentOf(file: string): Promise<string> | string {
  if (file === '-') return text(process.stdin);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError('bad_inventory', `${file} cannot be read: ${codeOf(error)}`);
  }
}

function requireFit(changes: object): void {
  const bytes = Buffer.byteLength(JSON.stringify(changes));
  if (bytes <= MAX_BODY_BYTES - ENVELOPE_BYTES) return;
  const most = formatSize(MAX_BODY_BYTES);
  throw new InputError(
    'too_large',
    `it says ${formatSize(bytes)}, of which ${most} fit into one call: split the file`,
  );
}

function tell(out: Output, { applied, hosts, changes }: Imported, dryRun: boolean): void {
  for (const { host, before, after } of changes) out.write(`${host}: ${clean(differences(before, after))}\n`);
  if (hosts > changes.length) out.write(`and ${count(hosts - changes.length, 'host')} more\n`);
  if (applied) out.write(`${count(hosts, 'host')} changed\n`);
  else out.write(`${count(hosts, 'host')} would change${dryRun ? '' : '; nothing was changed'}\n`);
}

function differences(before: Said, after: Said): string {
  const names = [...new Set([...Object.keys(before.labels), ...Object.keys(after.labels)])].sort();
  const labels = names.flatMap((name) => {
    const [was, is] = [before.labels[name], after.labels[name]];
    if (was === is) return [];
    return is === undefined ? [`${name}-`] : [`${name}=${is}${was === undefined ? '' : ` (was ${was})`}`];
  });
  const isHeldElse = JSON.stringify(before.hold) !== JSON.stringify(after.hold);
  return [...labels, ...(isHeldElse ? [heldAs(after)] : [])].join(', ');
}

function heldAs({ hold }: Said): string {
  if (!hold) return 'no longer held';
  return `held${hold.until === null ? '' : ` until ${hold.until}`}: ${hold.reason}`;
}

function tellUnknown(err: Output, unknown: string[], skipped: boolean): number {
  for (const host of unknown)
    err.write(`mega: no host is called "${host}"${skipped ? ', passed over' : ''}\n`);
  if (unknown.length === 0 || skipped) return EXIT.good;
  err.write('mega: leave them out of the file, or pass them over: --skip-unknown\n');
  return EXIT.failed;
}
