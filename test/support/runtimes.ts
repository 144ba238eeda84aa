import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { AgentProcess } from '../../dev/world/agent.ts';
import type { World } from '../../dev/world/world.ts';
import { CHUNK_BYTES } from '../../src/dispatcher/packages/receive.ts';
import type { PackageManifest } from '../../src/lib/manifest.ts';
import { platform } from '../../src/lib/utils.ts';
import { sha256Of } from './stream.ts';
import { type TarEntry, zipped } from './tarball.ts';

export const here = platform();
/** The runtime that the tests themselves run on. */
export const PINNED = `node-${process.versions.node}`;

/**
 * A Node.js of another version that needs no space: a script that runs this one. `toRun` is what it does first when
 * it is to run the agent; its own version is in the environment of whatever it becomes.
 */
export function fakeNode(folder: string, version: string, toRun = ':'): string {
  const file = join(folder, `node-${version}`);
  const script = `#!/bin/sh
if [ "$1" = --version ]; then echo v${version}; exit; fi
case " $* " in *' run --home '*) ${toRun} ;; esac
FAKE_NODE=${version} exec '${process.execPath}' "$@"
`;
  writeFileSync(file, script, { mode: 0o755 });
  return file;
}

/** What `mega package build-runtime` would not make: any program, any manifest. */
export function runtimePackage(
  runtime: string,
  node: string | Buffer,
  about: object = {},
  mode = 0o755,
): Buffer {
  const manifest = { format: 1, name: 'runtime', runtime, platform: here, builtAt: 'never', ...about };
  const entries: TarEntry[] = [
    { path: 'bin/node', body: node, mode },
    { path: 'manifest.json', body: JSON.stringify(manifest) },
  ];
  return zipped(entries);
}

export type Offered = { sha256: string; size: number };

/** Publishes any bytes at all, as one who holds the offline keys could. */
export async function publishRaw(world: World, manifest: PackageManifest, bytes: Buffer): Promise<Offered> {
  const about = { sha256: sha256Of(bytes), size: bytes.length };
  await world.call('begin_package', { manifest, ...about });
  for (let index = 0; index * CHUNK_BYTES < bytes.length; index++) {
    const chunk = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    await world.call('put_chunk', { sha256: about.sha256, index, bytes: chunk.toString('base64') });
  }
  await world.call('finish_package', { sha256: about.sha256 });
  await world.sign({ manifest, ...about });
  return about;
}

/** What is in a folder of the host's, hidden files included. */
export const names = (folder: string) => readdirSync(folder).sort();

/** The runtime that the release which `current` names is to run on. */
export const runtimeOf = (agent: AgentProcess) => basename(readlinkSync(join(agent.home.current, 'runtime')));

/** The version of the fake Node.js that started the agent; undefined for a real one. */
export function fakeThatRuns(agent: AgentProcess): string | undefined {
  const environment = readFileSync(`/proc/${agent.agentPid}/environ`, 'latin1');
  return /(?:^|\0)FAKE_NODE=([^\0]*)/.exec(environment)?.[1];
}
