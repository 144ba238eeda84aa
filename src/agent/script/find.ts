import { accessSync, constants, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, extname, join, sep } from 'node:path';
import { codeOf } from '../../lib/errors.ts';
import { unlessMissing } from '../../lib/files.ts';
import type { ScriptType } from '../../lib/orders.ts';
import { Refusal } from '../upgrade/refusal.ts';

/** Written by whoever is not trusted, it would be his and not ours: the group's members and all others. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The script of this name in a folder, as a path without links. It must lie in that folder, whatever its links say, and
 * nobody but those who are trusted may change it: neither the file, nor a folder on its way. Errors: {@link Refusal}.
 */
export function findScript(folder: string, name: string, trusted: ReadonlySet<number>): string {
  const root = there(
    folder,
    `there is no script folder ${folder} on this host: make it, or name another in etc/agent.json`,
  );
  const path = there(join(root, name), `there is no script ${name} in ${folder}`);
  if (!path.startsWith(root + sep)) {
    throw new Refusal(
      'script_outside',
      `${name} leads out of ${folder}, to ${path}: put the script itself there`,
    );
  }
  if (!statSync(path).isFile()) throw new Refusal('no_script', `${name} in ${folder} is no file`);
  for (let at = path; at !== dirname(root); at = dirname(at)) requireTrusted(at, statSync(at), trusted);
  return path;
}

function there(path: string, otherwise: string): string {
  try {
    const found = unlessMissing(() => realpathSync(path));
    if (found !== undefined) return found;
  } catch (error) {
    throw new Refusal('no_script', `${path} cannot be read (${codeOf(error)}): see its owner and mode`);
  }
  throw new Refusal('no_script', otherwise);
}

function requireTrusted(path: string, { mode, uid }: Stats, trusted: ReadonlySet<number>): void {
  if (!trusted.has(uid)) {
    throw new Refusal(
      'script_not_ours',
      `${path} belongs to the user ${uid}, who could change it: chown root ${path}`,
    );
  }
  if ((mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new Refusal('script_writable', `${path} may be written by others: chmod go-w ${path}`);
  }
}

const BY_ENDING: Record<string, ScriptType> = {
  '.sh': 'bash',
  '.bash': 'bash',
  '.py': 'python',
  '.js': 'node',
  '.mjs': 'node',
  '.cjs': 'node',
  '.ts': 'node',
};

export const typeOf = (name: string): ScriptType => BY_ENDING[extname(name)] ?? 'cmd';

const INTERPRETERS = { bash: ['bash'], python: ['python3', 'python'] } as const;

/**
 * The words that run a script: its interpreter by full path, and itself. `node` is the one that we run on, so that there is
 * one, and `mega-fleet` fits it. Errors: {@link Refusal}.
 */
export function interpreted(path: string, type: ScriptType, searched: string): string[] {
  if (type === 'node') return [process.execPath, path];
  if (type === 'cmd') {
    if (mayExecute(path)) return [path];
    throw new Refusal(
      'not_executable',
      `${path} may not be executed: chmod +x it, or say of what type it is`,
    );
  }
  for (const name of INTERPRETERS[type]) {
    const program = searched
      .split(':')
      .map((folder) => join(folder, name))
      .find(mayExecute);
    if (program) return [program, path];
  }
  throw new Refusal(
    'no_interpreter',
    `there is no ${INTERPRETERS[type].join(' or ')} on this host, in ${searched}`,
  );
}

function mayExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
