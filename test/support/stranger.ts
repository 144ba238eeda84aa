import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { buildPackage } from '../../src/cli/package/build.ts';
import { unpack } from '../../src/lib/archive.ts';
import type { Example } from './examples.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A folder far from the checkout in which `mega-fleet` can be imported. */
export type Elsewhere = { folder: string; [Symbol.dispose](): void };

function newFolder(name: string): Elsewhere {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `mega ${name} `)));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * A project that has installed what `npm pack` made. No registry is asked: its dependencies, and no other packages, are
 * copied from where our own setup has put them.
 */
export async function installTarball(): Promise<Elsewhere> {
  const elsewhere = newFolder('stranger');
  const { folder } = elsewhere;
  await run('npm', ['run', 'build'], { cwd: root });
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  const place = join(folder, 'node_modules/mega-fleet');
  mkdirSync(place, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', place, '--strip-components=1']);
  for (const name of dependenciesOf(place)) copyPackage(name, folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  return elsewhere;
}

/** What stands beside an agent's home on a host, and the release in it. */
export async function layOutHost(): Promise<Elsewhere> {
  const elsewhere = newFolder('host');
  const { folder } = elsewhere;
  const release = join(folder, 'mega_client/releases/1.0.0');
  mkdirSync(dirname(release), { recursive: true });
  await unpack(await buildPackage({ version: '1.0.0', out: join(folder, 'dist') }), release);
  symlinkSync('releases/1.0.0', join(folder, 'mega_client/current'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync('../mega_client/current/lib', join(folder, 'node_modules/mega-fleet'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  return elsewhere;
}

/** The names of all that a package needs, directly or not. */
function dependenciesOf(place: string): Set<string> {
  const found = new Set<string>();
  const add = (folder: string) => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    for (const name of Object.keys(dependencies)) {
      if (found.has(name)) continue;
      found.add(name);
      add(join(root, 'node_modules', name));
    }
  };
  add(place);
  return found;
}

export function copyPackage(name: string, folder: string): void {
  const to = join(folder, 'node_modules', name);
  mkdirSync(dirname(to), { recursive: true });
  const copy = (how: string) =>
    execFileSync('cp', [how, join(root, 'node_modules', name), to], { stdio: 'ignore' });
  try {
    copy('-al'); // by links, where both are on one disk
  } catch {
    copy('-a');
  }
}

/** Runs an example as a user does, who knows nothing of the checkout; what it prints. */
export async function runExample({ folder }: Elsewhere, example: Example, settings: Record<string, string>) {
  const file = join(
    folder,
    `${example.place.replace(/\W+/g, '-')}.${example.language === 'ts' ? 'ts' : 'mjs'}`,
  );
  writeFileSync(file, example.code);
  const env = { PATH: process.env.PATH, ...settings };
  const options = { cwd: folder, env, timeout: 30_000 };
  return (await run(process.execPath, ['--disable-warning=ExperimentalWarning', file], options)).stdout;
}

/** Errors of the TypeScript files in there, checked as strictly as can be. */
export async function typeErrors({ folder }: Elsewhere): Promise<string> {
  for (const name of ['@types/node', 'undici-types'])
    if (!existsSync(join(folder, 'node_modules', name))) copyPackage(name, folder);
  const compilerOptions = {
    ...{ strict: true, noEmit: true, module: 'nodenext', target: 'es2024', types: ['node'] },
    ...{ lib: ['es2024', 'esnext.disposable'], exactOptionalPropertyTypes: true, skipLibCheck: false },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  return run(process.execPath, [compiler, '-p', folder]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}
