import { chmodSync, cpSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../lib/errors.ts';
import { syncFolder } from '../../lib/files.ts';
import { type Home, runtimeName } from '../../lib/home.ts';
import { hasRuntime, stageRuntime } from '../../lib/runtime.ts';
import { platform } from '../../lib/utils.ts';
import { readRuntimePackage } from '../package/read.ts';

/** Where a home's runtime comes from: it is there, it is the Node.js that runs this, or it is in a package. */
export type RuntimeSource = { from: 'home' } | { from: 'here' } | { from: 'package'; file: string };

/** Decides it, and touches nothing. Errors: those of reading a package, and `no_runtime`, which asks for one. */
export async function runtimeFrom(home: Home, runtime: string, file?: string): Promise<RuntimeSource> {
  if (file !== undefined) await requireFitting(file, runtime);
  if (hasRuntime(home, runtime)) return { from: 'home' };
  if (file !== undefined) return { from: 'package', file };
  if (runtime === `node-${process.versions.node}`) return { from: 'here' };
  throw new InputError(
    'no_runtime',
    `the release runs on ${runtime}, which is not the Node.js of this project: ` +
      'give --runtime, a file that mega package build-runtime makes',
  );
}

async function requireFitting(file: string, runtime: string): Promise<void> {
  const { manifest } = await readRuntimePackage(file);
  const [found, wanted] = [runtimeName(manifest.runtime, manifest.platform), runtimeName(runtime)];
  if (found === wanted) return;
  throw new InputError('wrong_runtime', `${file} holds ${found}, and the release runs here on ${wanted}`);
}

export async function placeRuntime(home: Home, runtime: string, source: RuntimeSource): Promise<void> {
  if (hasRuntime(home, runtime)) return; // by now: homes may share a folder
  if (source.from === 'package') await stageRuntime(home, source.file, runtime);
  if (source.from === 'here') placeOwn(home);
}

/** The Node.js that runs this, which is the pinned one: linked where it is on the same disk, copied elsewhere. */
function placeOwn(home: Home): void {
  const beside = mkdtempSync(join(home.runtimes, '.new-'));
  try {
    chmodSync(beside, 0o755);
    mkdirSync(join(beside, 'bin'), { mode: 0o755 });
    linkOrCopy(process.execPath, join(beside, 'bin', 'node'));
    syncFolder(join(beside, 'bin'));
    renameSync(beside, home.runtime(`node-${process.versions.node}-${platform()}`));
    syncFolder(home.runtimes);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
    chmodSync(to, 0o755);
  }
}
