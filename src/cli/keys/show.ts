import type { Command } from 'commander';
import { keyId } from '../../lib/trust/keys.ts';
import { aboutOf, holdersOf, ROLES, targetsOf } from '../../lib/trust/metadata.ts';
import { minimumIn, orderKeysIn } from '../../lib/trust/targets.ts';
import { EXIT } from '../exit.ts';
import { type Column, printJson, table } from '../table.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';
import type { KeyFolder } from './folder.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner } from './signer.ts';

type Shown = { role: string; id: string; needed: number; expires: string | null; file: string | null };

/** `mega keys show`: whose signatures count for what, as far as this folder knows; no key is unlocked. */
export function addShow(group: Command, room: Room): void {
  const show = group
    .command('show')
    .description('who may sign what, and which of the keys are here')
    .option(...KEYS_OPTION)
    .option(...JSON_FLAG);
  show.action(
    act<KeyOptions & { json?: true }>(room, async (options) => {
      const { folder } = OfflineSigner.of(room, options);
      const state = stateOf(folder);
      if (options.json) printJson(room.out, state);
      else {
        room.out.write(table(state.keys, COLUMNS));
        for (const line of notes(folder, state)) room.out.write(`${line}\n`);
      }
      return EXIT.good;
    }),
  );
  example(show, 'mega keys show');
}

const COLUMNS: Column<Shown>[] = [
  { title: 'ROLE', cell: (one) => one.role },
  { title: 'KEY', cell: (one) => one.id.slice(0, 16) },
  { title: 'NEEDED', cell: (one) => String(one.needed), right: true },
  { title: 'EXPIRES', cell: (one) => one.expires?.slice(0, 10) ?? '-' },
  { title: 'FILE', cell: (one) => one.file ?? '-' },
];

function stateOf(folder: KeyFolder) {
  const root = folder.root();
  const text = folder.targets();
  const targets = text === undefined ? [] : targetsOf(text);
  const files = new Map(folder.keyFiles().map((file) => [file.id, file.name]));
  const expiries: Partial<Record<string, string>> = {
    root: aboutOf('root', root).expires.toISOString(),
    ...(text === undefined ? {} : { targets: aboutOf('targets', text).expires.toISOString() }),
  };
  const holders = holdersOf(root);
  const shown = (role: string, id: string, needed: number): Shown => {
    return { role, id, needed, expires: expiries[role] ?? null, file: files.get(id) ?? null };
  };
  const keys = [
    ...ROLES.flatMap((role) =>
      holders[role].keys.map((key) => shown(role, keyId(key), holders[role].threshold)),
    ),
    ...[...orderKeysIn(targets).keys()].map((id) => shown('orders', id, 1)),
  ];
  const named = new Set(keys.map((key) => key.id));
  return {
    folder: folder.path,
    root: aboutOf('root', root).version,
    targets: text === undefined ? 0 : aboutOf('targets', text).version,
    keys,
    minimum: minimumIn(targets) ?? null,
    packages: targets.filter(({ path }) => path.endsWith('.tar.gz')).length,
    unused: [...files].filter(([id]) => !named.has(id)).map(([, name]) => name),
  };
}

function notes(folder: KeyFolder, state: ReturnType<typeof stateOf>): string[] {
  const { root, targets, packages, minimum, unused } = state;
  const least = minimum === null ? 'no minimum version' : `minimum version ${minimum}`;
  const waiting = (['root', 'targets'] as const).filter((role) => folder.pending(role) !== undefined);
  return [
    `root version ${root}, targets version ${targets}: ${packages} packages, ${least}`,
    ...waiting.map((role) => `${folder.pendingName(role)} waits for more signatures: mega keys sign`),
    ...unused.map((name) => `${name} is no key in use (any more)`),
  ];
}
