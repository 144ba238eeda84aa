import { readlinkSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { z } from 'zod';
import { InputError } from './errors.ts';
import { readIfThere, unlessMissing } from './files.ts';
import { type Manifest, manifest, type PackageManifest } from './manifest.ts';
import { check } from './messages.ts';
import { platform } from './utils.ts';

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
    /** A secret that is to follow: it is on disk before anybody is told of it. */
    identityNext: at('state', 'identity.next.json'),
    machineKey: at('state', 'machine.key'),
    /** A joining under way. */
    joining: at('state', 'join.json'),
    journal: at('state', 'journal.db'),
    /** Log lines that the broker has not taken yet. */
    spool: at('state', 'spool'),
    downloads: at('state', 'downloads'),
    trust: at('state', 'trust'),
    trial: at('state', 'trial'),
    trialCount: at('state', 'trial.count'),
    trialFailed: at('state', 'trial.failed'),
    alive: at('state', 'alive'),
    greeted: at('state', 'greeted'),
    fault: at('state', 'fault'),
    /** What is known of scripts that run: a folder for each, which the agent alone reads. */
    scriptRuns: at('state', 'scripts'),
    /** The folders in which scripts work, each that of the user as whom its script runs. */
    work: at('work'),
    config: at('etc', 'agent.json'),
    /** The root of trust, laid down at joining. */
    trustRoot: at('etc', 'root.json'),
    ca: at('etc', 'ca.crt'),
    preflight: at('etc', 'preflight.d'),
    /** While it is there, its owner lets nothing happen on this host; its text says why. */
    hold: at('etc', 'hold'),
    log: at('log', 'mega_client.log'),
  };
}

/** The version that a link (`current`, `previous`) names; undefined when there is no such link. */
export function versionAt(link: string): string | undefined {
  return unlessMissing(() => basename(readlinkSync(link)));
}

/** A runtime's name, which is its folder's under `runtimes/`, too: `node-24.21.0-linux-x64`. */
export const runtimeName = (runtime: string, on = platform()) => `${runtime}-${on}`;

/** What a package is called: a release by its version, a runtime by its name. */
export function packageName(about: PackageManifest): string {
  return about.name === 'mega' ? about.version : runtimeName(about.runtime, about.platform);
}

export const releaseLink = (version: string) => join('releases', version);

/** The manifest of an unpacked release; undefined where there is none. Error: `bad_manifest`. */
export const readManifest = (folder: string): Manifest | undefined => readManifestAs(manifest, folder);

/** A package's manifest of whatever kind, or of the kind that is expected. Error: `bad_manifest`. */
export function readManifestAs<S extends z.ZodType>(schema: S, folder: string): z.infer<S> | undefined {
  const text = readIfThere(join(folder, 'manifest.json'));
  return text === undefined ? undefined : check(schema, parse(text), 'bad_manifest');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError('bad_manifest', 'manifest.json is not JSON', { cause });
  }
}
