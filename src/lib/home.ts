import { readlinkSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { readIfThere, unlessMissing } from './files.ts';
import { check, type Manifest, manifest } from './messages.ts';

/**
 * The layout of an agent's home, once. See docs/architecture.md for the picture.
 *
 * `current` and `previous` are relative links, so a home can be moved as a whole.
 */
export type Home = ReturnType<typeof homeAt>;

export function homeAt(root: string) {
  const at = (...parts: string[]) => join(resolve(root), ...parts);
  return {
    root: resolve(root),
    loader: at('bin', 'mega_client'),
    current: at('current'),
    previous: at('previous'),
    releases: at('releases'),
    release: (version: string) => at('releases', version),
    runtimes: at('runtimes'),
    runtime: (name: string) => at('runtimes', name),
    state: at('state'),
    identity: at('state', 'identity.json'),
    journal: at('state', 'journal.db'),
    downloads: at('state', 'downloads'),
    trial: at('state', 'trial'),
    trialCount: at('state', 'trial.count'),
    trialFailed: at('state', 'trial.failed'),
    alive: at('state', 'alive'),
    fault: at('state', 'fault'),
    config: at('etc', 'agent.json'),
    preflight: at('etc', 'preflight.d'),
    log: at('log', 'mega_client.log'),
  };
}

/** The version that a link (`current`, `previous`) names; undefined when there is no such link. */
export function versionAt(link: string): string | undefined {
  return unlessMissing(() => basename(readlinkSync(link)));
}

export const releaseLink = (version: string) => join('releases', version);

export function readManifest(folder: string): Manifest | undefined {
  const text = readIfThere(join(folder, 'manifest.json'));
  return text === undefined ? undefined : check(manifest, JSON.parse(text), 'bad_manifest');
}
