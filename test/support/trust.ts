import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KeyFolder } from '../../src/cli/keys/folder.ts';
import { OfflineSigner } from '../../src/cli/keys/signer.ts';
import { type Call, openSender } from '../../src/lib/sender.ts';
import { type FetchMetadata, refreshTrust } from '../../src/lib/trust/client.ts';
import { aboutOf, type Target, targetsOf } from '../../src/lib/trust/metadata.ts';
import { orderKeysIn } from '../../src/lib/trust/targets.ts';
import type { Site } from './cli.ts';
import { zipped } from './tarball.ts';

/** What a registered host does with metadata: it trusts a root from the day it joined, and follows from there. */
export class Follower {
  readonly at: { builtInRoot: string; folder: string };
  readonly fetch: FetchMetadata;

  constructor(home: string, root: string, fetch: FetchMetadata) {
    mkdirSync(home, { recursive: true });
    this.at = { builtInRoot: join(home, 'root.json'), folder: join(home, 'trust') };
    this.fetch = fetch;
    writeFileSync(this.at.builtInRoot, root);
  }

  async refresh(
    fetch = this.fetch,
  ): Promise<{ version: number; targets: Target[]; paths: string[]; orders: string[] }> {
    const text = await refreshTrust(this.at, fetch);
    const targets = targetsOf(text);
    const { version } = aboutOf('targets', text);
    return {
      version,
      targets,
      paths: targets.map((one) => one.path),
      orders: [...orderKeysIn(targets).keys()],
    };
  }
}

/** Metadata as the dispatcher of a site serves it. */
export const fetchBy =
  (call: Call): FetchMetadata =>
  async (name) =>
    (await call<{ text: string | null }>('get_metadata', { name })).text ?? undefined;

export async function operatorOf(site: Site): Promise<{ call: Call } & AsyncDisposable> {
  return openSender(JSON.parse(site.read('etc', 'operator.json')), 30_000);
}

/** The offline keys of a site, unlocked in this process. */
export function signerOf(site: Site, folder = site.at('etc', 'keys')): OfflineSigner {
  return new OfflineSigner(KeyFolder.open(folder), async () => site.read('passphrase').trimEnd());
}

/** A release that could be published, and nothing more. */
export function releaseFile(folder: string, version: string): string {
  const about = { format: 1, name: 'mega', version, platforms: ['linux-x64'], runtime: 'node-24.21.0' };
  const entries = [
    { path: 'agent.mjs', body: '' },
    { path: 'loader.sh', body: '' },
    { path: 'manifest.json', body: JSON.stringify({ ...about, builtAt: '2026-11-24T00:00:00Z' }) },
  ];
  const file = join(folder, `mega-${version}.tar.gz`);
  writeFileSync(file, zipped(entries));
  return file;
}
