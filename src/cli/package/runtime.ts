import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, InputError } from '../../lib/errors.ts';
import { runtimeName } from '../../lib/home.ts';
import { runtimeManifest } from '../../lib/manifest.ts';
import { check } from '../../lib/messages.ts';
import { formatSize, platform } from '../../lib/utils.ts';
import { projectRoot } from '../root.ts';
import type { Output } from '../world.ts';
import { packInto, writeJson } from './pack.ts';

export type RuntimeOptions = {
  /** The folder that gets `node-<version>-<platform>.tar.gz`. */
  out: string;
  /** Default: this machine's. */
  platform?: string;
  /** A Node.js for this machine; default: the pinned one of the platform, as npm has brought it. */
  node?: string;
};

type Found = { node: string; version: string; platform: string };

const QUIET_MS = 2_000;
const RUN_MS = 10_000;
/** Whichever of these can read the program takes its symbols out: a sixth of it. */
const STRIPPERS = ['strip', 'llvm-strip', 'aarch64-linux-gnu-strip', 'x86_64-linux-gnu-strip'];

/**
 * Packs a Node.js as the runtime of hosts and returns the package's path. The same program gives the same bytes,
 * wherever the same `strip` is. What takes its time, and what could not be done, is told on `output`.
 *
 * gzip, though xz is a third smaller: a bare host must be able to unpack it with tar alone. Measured with Node.js
 * 24.21.0 for x64: 127 MB, stripped 109 MB, packed 41 MB in 9 s.
 */
export async function buildRuntime(options: RuntimeOptions, output: Output): Promise<string> {
  const found =
    options.node === undefined ? pinned(options.platform) : await given(options.node, options.platform);
  const runtime = `node-${found.version}`;
  // A program does not tell when it was made, and the time of packing would make every package differ.
  const about = { format: 1, name: 'runtime', runtime, platform: found.platform, builtAt: EPOCH };
  const manifest = check(runtimeManifest, about);
  const name = runtimeName(runtime, found.platform);
  const folder = mkdtempSync(join(tmpdir(), 'mega-runtime-'));
  const busy = setTimeout(() => output.write(`mega: packing ${name}, which may take a minute\n`), QUIET_MS);
  try {
    mkdirSync(join(folder, 'bin'));
    await copyStripped(found, join(folder, 'bin', 'node'), output);
    copyLicense(found.node, folder);
    writeJson(join(folder, 'manifest.json'), manifest);
    return await packInto(folder, options.out, `${name}.tar.gz`);
  } finally {
    clearTimeout(busy);
    rmSync(folder, { recursive: true, force: true });
  }
}

const EPOCH = new Date(0).toISOString();

/** npm's package with the pinned Node.js of a platform, a dependency of this project. */
function pinned(on = platform()): Found {
  if (!runtimeManifest.shape.platform.safeParse(on).success) {
    throw new InputError('bad_argument', `"${on}" is no platform such as linux-x64`);
  }
  const name = `node-${on}`;
  const { resolve: find } = createRequire(join(projectRoot(), 'package.json'));
  let about: string;
  try {
    about = find(`${name}/package.json`);
  } catch {
    const fetched = `${name}@${process.versions.node}`;
    throw new InputError(
      'unknown_runtime',
      `npm has not brought ${name} into this project, which it does on machines that are ${on}: build the runtime ` +
        `on one, or unpack what \`npm pack ${fetched}\` fetches as node_modules/${name}`,
    );
  }
  const { version } = JSON.parse(readFileSync(about, 'utf8')) as { version: string };
  return { node: join(dirname(about), 'bin', 'node'), version, platform: on };
}

async function given(file: string, wanted = platform()): Promise<Found> {
  const node = resolve(file);
  if (wanted !== platform()) {
    throw new InputError('bad_argument', `--node is asked for its version, so it must be for ${platform()}`);
  }
  if (!statSync(node, { throwIfNoEntry: false })?.isFile()) {
    throw new InputError('bad_argument', `there is no program ${file}`);
  }
  return { node, version: await versionOf(node), platform: wanted };
}

async function versionOf(node: string): Promise<string> {
  let said: string;
  try {
    said = (await promisify(execFile)(node, ['--version'], { timeout: RUN_MS })).stdout.trim();
  } catch (cause) {
    throw new InputError('bad_argument', `${node} cannot be run: ${describe(cause)}`, { cause });
  }
  const [, version] = /^v(\d+\.\d+\.\d+)$/.exec(said) ?? [];
  if (version) return version;
  throw new InputError('bad_argument', `${node} --version says "${said.slice(0, 80)}", not such as v24.21.0`);
}

/** Stripped where something can: what cannot be stripped, or does not run any more, is packed as it is. */
async function copyStripped(found: Found, to: string, output: Output): Promise<void> {
  for (const strip of STRIPPERS) {
    try {
      await promisify(execFile)(strip, ['-o', to, found.node]);
      if (found.platform === platform()) await versionOf(to);
      return;
    } catch {
      rmSync(to, { force: true });
    }
  }
  copyFileSync(found.node, to);
  const size = formatSize(statSync(to).size);
  output.write(`mega: ${found.node} is packed as it is (${size}): no strip of this machine can read it\n`);
}

function copyLicense(node: string, folder: string): void {
  const beside = [join(dirname(node), 'LICENSE'), join(dirname(node), '..', 'LICENSE')];
  const license = beside.find((file) => existsSync(file));
  if (license) copyFileSync(license, join(folder, 'LICENSE'));
}
