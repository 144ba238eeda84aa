import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { InputError } from '../../lib/errors.ts';
import { check } from '../../lib/messages.ts';
import { ownName } from '../../lib/orders.ts';
import { BANNER, bundle, COMMON } from './bundle.ts';

const SOURCES = new Set(['.ts', '.mts', '.js', '.mjs']);

export type Libraries = { folder: string; suffix: string; names: readonly string[] };

/**
 * Puts a team's own tasks into a package: each file of the folder becomes `tasks/<name>.mjs`, with all that it imports;
 * `mega-fleet/<name>` is the library of this project. Files in folders beneath are for these to import.
 */
export async function packTasks(from: string, out: string, libraries: Libraries): Promise<void> {
  const names = filesIn(from).filter((name) => SOURCES.has(extname(name)) && !name.endsWith('.d.ts'));
  if (names.length === 0) throw new InputError('bad_argument', `there are no tasks in ${from}`);
  const alias = Object.fromEntries(
    libraries.names.map((name) => [`mega-fleet/${name}`, join(libraries.folder, name + libraries.suffix)]),
  );
  await bundle({
    ...COMMON,
    absWorkingDir: resolve(from),
    alias,
    entryPoints: names.map((name) => ({ in: resolve(from, name), out: taskName(name) })),
    outdir: join(out, 'tasks'),
    outExtension: { '.js': '.mjs' },
    banner: { js: BANNER },
  });
}

function taskName(file: string): string {
  const name = file.slice(0, -extname(file).length);
  return check(ownName, name);
}

/** Puts a folder of scripts into a package as they are. They are run by name and version; links have no place there. */
export function packScripts(from: string, out: string): void {
  const names = filesIn(from, { recursive: true });
  if (names.length === 0) throw new InputError('bad_argument', `there are no scripts in ${from}`);
  for (const name of names) {
    const place = join(out, 'scripts', name);
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(join(from, name), place);
    chmodSync(place, 0o755);
  }
}

/** Plain files, hidden ones left out. */
function filesIn(folder: string, { recursive = false } = {}): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new InputError('bad_argument', `there is no folder ${folder}`);
  }
  return readdirSync(folder, { recursive, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length))
    .filter((name) => !name.split('/').some((part) => part.startsWith('.')))
    .sort();
}
