import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type DispatcherConfig, dispatcherConfig } from './dispatcher-config.ts';
import { InputError } from './errors.ts';
import type { Home } from './home.ts';
import { identity } from './identity.ts';
import { LEVELS } from './log-lines.ts';
import { check } from './messages.ts';
import { scriptSettings } from './script-settings.ts';
import { readCa, refusePlain, tlsOf } from './secure.ts';
import { amqpUrl, bytesPerSecond, security } from './settings.ts';

export type { DispatcherConfig } from './dispatcher-config.ts';

/**
 * Configuration: environment and files in, validated and frozen values out. The only room that reads
 * `process.env`. Secrets come from files (mode 0600) or the environment, never from the command line.
 */
const clientConfig = z.object({
  broker: amqpUrl,
  ...security,
  /** The folder of the offline keys, relative to this file; see src/cli/keys. */
  keys: z.string().min(1).default('keys'),
});
export type OperatorConfig = Readonly<z.infer<typeof clientConfig>>;
/** What is needed to call functions. */
export type ClientConfig = Omit<OperatorConfig, 'keys'>;

const agentFile = z.object({
  /** Without user and password; those are in `state/identity.json`. */
  broker: amqpUrl,
  ...security,
  heartbeatMs: z.int().min(200).default(20_000),
  reconnectMs: z.int().min(10).default(5_000),
  /** How long the previous release waits for the dispatcher before it says: no verdict. */
  arbitrationMs: z.int().min(500).default(60_000),
  /** What this host reads of a package at most; 0 leaves it to the dispatcher. */
  maxDownloadBytesPerSecond: bytesPerSecond.default(0),
  ...scriptSettings,
  logLevel: z.string().default('info'),
  /** Of its own log, what it brings to the dispatcher; and how much of that may wait on its disk. */
  shipLevel: z.enum(LEVELS).default('info'),
  spoolBytes: z
    .int()
    .min(1 << 16)
    .default(16 << 20),
});
export type AgentConfig = Readonly<z.infer<typeof agentFile> & { host: string; home: Home }>;

/** Operators' configuration: `--config`, `$MEGA_CONFIG`, or `/etc/mega/mega.json`; `$MEGA_BROKER`, `$MEGA_CA` win. */
export function loadClientConfig(path?: string): OperatorConfig {
  const config = read(clientConfig, path, { broker: process.env.MEGA_BROKER, ca: caOfEnvironment() });
  return Object.freeze({ ...config, keys: resolve(dirname(pathOf(path)), config.keys) });
}

/** Where the offline keys are and who unlocks them, when no option says so; a path alone, never a secret. */
export function keySettings(): { keys: string | undefined; passphraseFile: string | undefined } {
  return { keys: process.env.MEGA_KEYS, passphraseFile: process.env.MEGA_PASSPHRASE_FILE };
}

/** `$TERM` says that the terminal only prints. */
export const terminalIsDumb = () => process.env.TERM === 'dumb';

/** The dispatcher's; `$MEGA_BROKER`, `$MEGA_MANAGEMENT`, `$MEGA_DATABASE` and `$MEGA_CA` win over the file. */
export function loadDispatcherConfig(path?: string): DispatcherConfig {
  const env = process.env;
  const urls = { broker: env.MEGA_BROKER, management: env.MEGA_MANAGEMENT, database: env.MEGA_DATABASE };
  return Object.freeze(read(dispatcherConfig, path, { ...urls, ca: caOfEnvironment() }));
}

/** An agent's, from its home: `etc/agent.json` and `state/identity.json`. */
export function loadAgentConfig(home: Home): AgentConfig {
  const file = parse(agentFile, home.config, {}, FOR_HOSTS);
  const { host, secret } = parse(identity, home.identity, {}, FOR_HOSTS);
  const url = new URL(file.broker);
  url.username = host;
  url.password = secret;
  return Object.freeze({ ...file, broker: url.href, host, home });
}

/** Relative to where the process runs. */
function caOfEnvironment(): string | undefined {
  const { MEGA_CA } = process.env;
  return MEGA_CA === undefined ? undefined : resolve(MEGA_CA);
}

const FOR_HOSTS = 'mega_client join, or mega host add, makes a home whole again';
export const DEFAULT_PATH = '/etc/mega/mega.json';

const pathOf = (path: string | undefined) => path ?? process.env.MEGA_CONFIG ?? DEFAULT_PATH;

function read<S extends z.ZodType>(
  schema: S,
  path: string | undefined,
  env: Record<string, unknown>,
): z.infer<S> {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
  const file = path ?? process.env.MEGA_CONFIG;
  if (file !== undefined) return parse(schema, resolve(file), set);
  if (schema.safeParse(set).success) return secured(schema.parse(set), '.');
  return parse(schema, DEFAULT_PATH, set);
}

function parse<S extends z.ZodType>(
  schema: S,
  path: string,
  env: Record<string, unknown>,
  remedy = 'name one with --config or $MEGA_CONFIG',
): z.infer<S> {
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new InputError('no_config', `no configuration: ${reasonOf(cause)} ${path}; ${remedy}`);
  }
  try {
    return secured(check(schema, { ...(file as object), ...env }, 'bad_config'), dirname(path));
  } catch (cause) {
    throw new InputError('bad_config', `configuration ${path} is not usable: ${(cause as Error).message}`);
  }
}

/** What of a configuration says how servers are reached. */
type Secured = {
  broker?: string;
  management?: string;
  database?: string;
  mail?: { url: string; ca?: string };
  ca?: string;
  allowPlain?: boolean;
};

/** Reads what `ca` names, in `folder`, and refuses connections that others could read, unless they are allowed. */
function secured<T>(config: T, folder: string): T {
  const { broker, management, database, mail, ca, allowPlain } = config as Secured;
  for (const url of [broker, management, database, mail?.url])
    if (url !== undefined) refusePlain(url, { allowPlain });
  if (mail) tlsOf(new URL(mail.url)); // whatever is wrong with its parameters is said now
  return { ...config, ...withCa(ca, folder), ...(mail && { mail: { ...mail, ...withCa(mail.ca, folder) } }) };
}

function withCa(ca: string | undefined, folder: string): { ca?: string } {
  return ca === undefined ? {} : { ca: readCa(resolve(folder, ca)) };
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no file';
  return code ? `${code} when reading` : 'this is not JSON:';
}
