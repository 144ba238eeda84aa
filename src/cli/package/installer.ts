import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { unpack } from '../../lib/archive.ts';
import { InputError } from '../../lib/errors.ts';
import { runtimeName } from '../../lib/home.ts';
import { platform } from '../../lib/utils.ts';
import { projectRoot } from '../root.ts';
import type { Output } from '../world.ts';
import { buildPackage } from './build.ts';
import { packInto } from './pack.ts';
import { readReleasePackage, readRuntimePackage } from './read.ts';
import { buildRuntime } from './runtime.ts';

export type InstallerOptions = {
  version: string;
  /** The Node.js that the release runs on, such as `node-24.21.0`; default: what its package says, or the pinned one. */
  runtime?: string;
  /** Default: this machine's. */
  platform?: string;
  /** The folder that holds the packages, or gets them, and gets the installer. */
  out: string;
};

const PINNED = `node-${process.versions.node}`;
/** What install.sh puts in besides the packages. */
const SERVICE_FILES = ['mega_client.service', 'mega_client-user.conf', 'mega_client.init'];

/**
 * Makes the one file that is carried to a new host, and returns its path. Packages that are in `out` already are
 * taken as they are, since it is they that were published; others are built.
 */
export async function buildInstaller(options: InstallerOptions, output: Output): Promise<string> {
  const { version, out, runtime, platform: on = platform() } = options;
  const release = join(out, `mega-${version}.tar.gz`);
  if (existsSync(release)) output.write(`mega: taking ${release} as it is\n`);
  else await buildPackage({ version, out, ...(runtime ? { runtime } : {}) });
  const { manifest } = await readReleasePackage(release);
  if (runtime !== undefined && manifest.runtime !== runtime) {
    throw new InputError('wrong_runtime', `${release} runs on ${manifest.runtime}, not on ${runtime}`);
  }
  const node = join(out, `${runtimeName(manifest.runtime, on)}.tar.gz`);
  if (existsSync(node)) output.write(`mega: taking ${node} as it is\n`);
  else if (manifest.runtime === PINNED) await buildRuntime({ out, platform: on }, output);
  else throw new InputError('no_runtime', `there is no ${node}: mega package build-runtime makes it`);
  return packInstaller(release, node, out);
}

/** The same, of two packages that fit. The same packages give the same bytes. */
export async function packInstaller(release: string, runtime: string, out: string): Promise<string> {
  const { version, node, platform: on } = await fitting(release, runtime);
  const folder = mkdtempSync(join(tmpdir(), 'mega-installer-'));
  try {
    copyFileSync(release, join(folder, `mega-${version}.tar.gz`));
    copyFileSync(runtime, join(folder, `${node}-${on}.tar.gz`));
    for (const name of SERVICE_FILES) copyFileSync(join(projectRoot(), 'deploy', name), join(folder, name));
    const payload = readFileSync(await packInto(folder, folder, 'payload'));
    const script = scriptWith({
      ...{ version, runtime: node, platform: on },
      unpacked_kb: (await unpackedKbOf(release)) + (await unpackedKbOf(runtime)),
    });
    const place = resolve(out, `mega-install-${version}-${on}.sh`);
    const beside = join(dirname(place), `.${basename(place)}.${basename(folder)}`);
    writeFileSync(beside, Buffer.concat([script, payload]), { mode: 0o755 });
    renameSync(beside, place);
    return place;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fitting(release: string, runtime: string) {
  const { manifest: about } = await readReleasePackage(release);
  const { manifest: node } = await readRuntimePackage(runtime);
  if (about.runtime !== node.runtime) {
    throw new InputError('wrong_runtime', `${release} runs on ${about.runtime}, not on ${node.runtime}`);
  }
  if (!about.platforms.includes(node.platform)) {
    throw new InputError('wrong_platform', `${release} is for ${about.platforms.join(', ')}`);
  }
  return { version: about.version, node: node.runtime, platform: node.platform };
}

/** What an installation needs of a disk, so that it can be asked before anything is written there. */
async function unpackedKbOf(file: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'mega-installer-'));
  try {
    await unpack(file, folder);
    const inside = readdirSync(folder, { recursive: true, withFileTypes: true });
    return inside.reduce(
      (sum, one) => sum + Math.ceil(statSync(join(one.parentPath, one.name)).size / 1024),
      0,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** install.sh with its line of settings filled in. */
function scriptWith(settings: Record<string, string | number>): Buffer {
  const text = readFileSync(join(projectRoot(), 'deploy', 'install.sh'), 'utf8');
  const all = { ...settings, payload_line: text.split('\n').length };
  const line = Object.entries(all).map(([name, value]) => `${name}='${value}'`);
  return Buffer.from(text.replace(/^version='' runtime=.*$/m, line.join(' ')));
}
