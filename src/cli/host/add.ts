import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadClientConfig } from '../../lib/config.ts';
import { codeOf, InputError } from '../../lib/errors.ts';
import { linkDurably, readIfThere, writeDurably } from '../../lib/files.ts';
import { type Home, homeAt, readManifest, releaseLink, versionAt } from '../../lib/home.ts';
import { hashPassword, newSecret } from '../../lib/management.ts';
import type { Manifest } from '../../lib/manifest.ts';
import { stageRelease } from '../../lib/release.ts';
import type { Call } from '../../lib/sender.ts';
import { HOST_ID } from '../../lib/utils.ts';
import type { Host } from '../answers.ts';
import { readReleasePackage } from '../package/read.ts';
import { callSurely, withSender } from '../session.ts';
import type { Globals } from '../world.ts';
import { placeRuntime, runtimeFrom } from './runtime.ts';

export type AddOptions = {
  home: string;
  package: string;
  /** The package of the runtime; default: this checkout's own Node.js, where the release runs on that. */
  runtime?: string;
  heartbeatMs?: number;
  reconnectMs?: number;
  arbitrationMs?: number;
};

/**
 * Makes an agent's home on this machine and registers its host.
 *
 * Each step may be done again, and what could be wrong with the input is found before the first of them. The
 * home is made whole first; then the broker learns the hash of the new secret, and last the secret is written:
 * an agent starts only once it has one. So a failure leaves a home that the same command completes, and a
 * dispatcher that is away costs a host that was there already nothing.
 */
export async function addHostHere(options: AddOptions & Globals, host: string) {
  if (!HOST_ID.test(host)) {
    throw new InputError('bad_argument', `"${host}" is no host id: a-z, 0-9 and -, at most 63`);
  }
  const home = homeAt(options.home);
  refuseAnothersHome(home, host);
  const { manifest } = await readReleasePackage(options.package);
  const needed = (releaseOf(home) ?? manifest).runtime;
  const source = await runtimeFrom(home, needed, options.runtime);
  const { broker } = loadClientConfig(options.config);
  return withSender(options, async (call) => {
    const registeredBefore = await isRegistered(call, host);
    refuseSecondHome(home, host, registeredBefore);
    makeFolders(home);
    writeAgentConfig(home, broker, options);
    await placeTrustRoot(call, home);
    await placeRuntime(home, needed, source);
    await placeRelease(home, options.package, manifest.version);
    const secret = newSecret();
    await callSurely(call, 'add_server', { host, passwordHash: hashPassword(secret) });
    writeDurably(home.identity, `${JSON.stringify({ host, secret })}\n`, 0o600);
    return { home, registeredBefore, version: versionAt(home.current) };
  });
}

function refuseAnothersHome(home: Home, host: string): void {
  const text = readIfThere(home.identity);
  const owner = text === undefined ? host : (parse(home.identity, text).host ?? host);
  if (owner !== host) {
    throw new InputError('bad_argument', `${home.root} is the home of ${owner}: choose another folder`);
  }
}

/** A new secret would lock the machine out that bears the name already. */
function refuseSecondHome(home: Home, host: string, registered: boolean): void {
  if (!registered || existsSync(home.config)) return;
  const remedy = `choose another name, or first: mega host remove ${host}`;
  throw new InputError(
    'name_taken',
    `${host} is registered already, and ${home.root} is not its home; ${remedy}`,
  );
}

async function isRegistered(call: Call, host: string): Promise<boolean> {
  try {
    await call<Host>('get_server', { host });
    return true;
  } catch (error) {
    if (codeOf(error) === 'unknown_host') return false;
    throw error;
  }
}

function makeFolders(home: Home): void {
  for (const folder of ['bin', 'releases', 'runtimes', 'etc', 'log'])
    mkdirSync(join(home.root, folder), { recursive: true });
  mkdirSync(home.state, { recursive: true, mode: 0o700 });
  chmodSync(home.state, 0o700);
  mkdirSync(home.downloads, { recursive: true });
}

/** What a person has set in the file stays, unless it was given now. */
function writeAgentConfig(home: Home, clientBroker: string, options: AddOptions): void {
  const broker = new URL(clientBroker);
  broker.username = '';
  broker.password = '';
  const { heartbeatMs, reconnectMs, arbitrationMs } = options;
  const given = Object.entries({ heartbeatMs, reconnectMs, arbitrationMs }).filter(
    ([, value]) => value !== undefined,
  );
  const before = parse(home.config, readIfThere(home.config) ?? '{}');
  const config = { ...before, broker: broker.href, ...Object.fromEntries(given) };
  writeDurably(home.config, `${JSON.stringify(config, undefined, 2)}\n`, 0o644);
}

/** What the host's trust begins with; one that is there stays. */
async function placeTrustRoot(call: Call, home: Home): Promise<void> {
  if (existsSync(home.trustRoot)) return;
  const { text } = await callSurely<{ text: string | null }>(call, 'get_metadata', { name: 'root.json' });
  if (text === null) {
    throw new InputError('no_root', 'nothing is signed for this fleet yet: mega setup makes the keys');
  }
  writeDurably(home.trustRoot, text, 0o644);
}

function parse(path: string, text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Why is not told: JSON's own error quotes the text, and here that may be a secret.
    throw new InputError('bad_config', `${path} is not JSON: mend or remove it`);
  }
}

/** A home that runs a release keeps it: from then on versions change by upgrade, on trial and with a way back. */
async function placeRelease(home: Home, file: string, version: string): Promise<void> {
  if (releaseOf(home)) return;
  await stageRelease(home, file, version);
  writeDurably(home.loader, readFileSync(join(home.release(version), 'loader.sh'), 'utf8'), 0o755);
  chmodSync(home.loader, 0o755);
  linkDurably(releaseLink(version), home.current);
}

/** The manifest of the release that the home runs; undefined while it has none, or lacks its loader. */
function releaseOf(home: Home): Manifest | undefined {
  const isWhole = existsSync(join(home.current, 'agent.mjs')) && existsSync(home.loader);
  return isWhole ? readManifest(home.current) : undefined;
}
