import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pack } from '../../lib/archive.ts';

/**
 * Packs a folder as `<out>/<name>` and returns the path; what was there is replaced as a whole. Names in order and
 * modes set: neither the file system nor the umask must show in the archive.
 */
export async function packInto(folder: string, out: string, name: string): Promise<string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  for (const file of files) chmodSync(join(folder, file), isProgram(file) ? 0o755 : 0o644);
  mkdirSync(out, { recursive: true });
  const place = resolve(out, name);
  const beside = resolve(out, `.${name}.${randomUUID()}`); // two that pack the same at once must not mix
  try {
    await pack(folder, files, beside);
    renameSync(beside, place);
  } finally {
    rmSync(beside, { force: true });
  }
  return place;
}

const isProgram = (file: string) => file.endsWith('.sh') || /^(bin|scripts)\//.test(file);

export function writeJson(path: string, value: object): void {
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
