import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { InputError } from './errors.ts';
import type { Home } from './home.ts';
import { identity } from './identity.ts';
import { check } from './messages.ts';
import { USER_NAME } from './people.ts';
import { readCa, refusePlain } from './secure.ts';
import { DOWNLOAD_RATE, scriptSettings } from './settings.ts';
import { keyFromBase64 } from './trust/keys.ts';

/**
 * Configuration: environment and files in, validated and frozen values out. The only room that reads
 * `process.env`. Secrets come from files (mode 0600) or the environment, never from the command line.
 */
const amqpUrl = z.url({ protocol: /^amqps?$/, error: 'a broker URL: amqp://user:password@host:5672/mega' });
const httpUrl = z.url({
  protocol: /^https?$/,
  error: 'a URL of the RabbitMQ management API: http://user:password@host:15672',
});
const mysqlUrl = z.url({
  protocol: /^(mysql|mariadb)$/,
  error: 'a database URL: mysql://user:password@host:3306/mega',
});

/** See secure.ts. In a file `ca` is a path, relative to that file; once loaded it is the certificates themselves. */
const security = { ca: z.string().min(1).optional(), allowPlain: z.boolean().default(false) };

const clientConfig = z.object({
  broker: amqpUrl,
  ...security,
  /** The folder of the offline keys, relative to this file; see src/cli/keys. */
  keys: z.string().min(1).default('keys'),
});
export type OperatorConfig = Readonly<z.infer<typeof clientConfig>>;
/** What is needed to call functions. */
export type ClientConfig = Omit<OperatorConfig, 'keys'>;

const AGAIN = 'run mega setup again, which makes what is missing';
/** A private key, kept as the text that it is; what is wrong with it is said without showing it. */
const signingKey = z.string({ error: `is missing: ${AGAIN}` }).refine(isKey, `is no private key: ${AGAIN}`);

const DAY_MS = 86_400_000;

const dispatcherConfig = z
  .object({
    broker: amqpUrl,
    management: httpUrl,
    database: mysqlUrl,
    ...security,
    /** The online keys: that of snapshot and timestamp, and that of orders. Base64 of PKCS#8. */
    keys: z.object(
      { online: signingKey, orders: signingKey },
      { error: `the online keys are missing: ${AGAIN}` },
    ),
    /** Where trust begins in a database that has no metadata yet: the roots in order, and the targets. */
    firstMetadata: z.object({ roots: z.array(z.string()).min(1), targets: z.string() }).optional(),
    /** For how long hosts believe a timestamp and a snapshot; both are signed anew after half of that. */
    timestampLifeMs: z
      .int()
      .min(2_000)
      .default(7 * DAY_MS),
    snapshotLifeMs: z
      .int()
      .min(2_000)
      .default(28 * DAY_MS),
    /** How long before root and targets expire the log begins to say so. */
    expiryWarningMs: z
      .int()
      .min(0)
      .default(45 * DAY_MS),
    /** A host not heard of for so long counts as away. */
    offlineAfterMs: z.int().min(500).default(65_000),
    /** How long an order may wait in its host's queue before its task is pending again. */
    orderTtlMs: z.int().min(1_000).max(600_000).default(600_000),
    /** How long a task waits for a host that is away before it is expired. */
    taskDeadlineMs: z
      .int()
      .min(1_000)
      .default(7 * 86_400_000),
    /** Silence past a task's own limit after which it counts as lost. */
    lostGraceMs: z.int().min(500).default(120_000),
    /**
     * How many hosts of the fleet may read packages at the same time; all dispatchers should say the same. Each costs
     * the broker 0.6 to 0.9 MB, so that these take half a GB of it at most, and more of them are no faster.
     */
    maxDownloads: z.int().min(1).max(100_000).default(500),
    /** What each of them may read; 0 is without a limit. */
    maxDownloadBytesPerSecond: DOWNLOAD_RATE.default(0),
    /** For how long a host that is not heard of keeps its place among them. */
    downloadLeaseMs: z.int().min(500).max(600_000).default(60_000),
    /** A package's stream goes when nobody asked for it for so long; it is made again on request. */
    streamKeepMs: z.int().min(500).default(3_600_000),
    /** The names of the first admins, made in a fleet that has no users. */
    admins: z.array(z.string().regex(USER_NAME)).default([]),
    /**
     * What one host may say to a dispatcher at once, and again in each interval, before it is cut off for a while. An
     * honest one stays far below: 10,000 results that waited for the broker come with at most 40,000 messages.
     */
    floodIntervalMs: z.int().min(1_000).default(60_000),
    floodMessages: z.int().min(1).default(60_000),
    floodBytes: z
      .int()
      .min(1 << 20)
      .default(128 << 20),
    floodCalls: z.int().min(1).default(1_000),
    /** Messages that cannot be read. */
    floodUnread: z.int().min(1).default(1_000),
    /** For how long it is cut off. */
    floodPauseMs: z.int().min(500).default(600_000),
    logLevel: z.string().default('info'),
  })
  .refine((config) => config.streamKeepMs >= config.downloadLeaseMs, {
    path: ['streamKeepMs'],
    error: 'not less than downloadLeaseMs, or a stream would go while it is read',
  });
export type DispatcherConfig = Readonly<z.infer<typeof dispatcherConfig>>;

const agentFile = z.object({
  /** Without user and password; those are in `state/identity.json`. */
  broker: amqpUrl,
  ...security,
  heartbeatMs: z.int().min(200).default(20_000),
  reconnectMs: z.int().min(10).default(5_000),
  /** How long the previous release waits for the dispatcher before it says: no verdict. */
  arbitrationMs: z.int().min(500).default(60_000),
  /** What this host reads of a package at most; 0 leaves it to the dispatcher. */
  maxDownloadBytesPerSecond: DOWNLOAD_RATE.default(0),
  ...scriptSettings,
  logLevel: z.string().default('info'),
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

function isKey(text: string): boolean {
  try {
    return keyFromBase64(text).type === 'private';
  } catch {
    return false;
  }
}

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
const DEFAULT_PATH = '/etc/mega/mega.json';

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

/** Reads what `ca` names, in `folder`, and refuses connections that others could read, unless they are allowed. */
function secured<T>(config: T, folder: string): T {
  const { ca, allowPlain } = config as { ca?: string; allowPlain?: boolean };
  for (const name of ['broker', 'management', 'database']) {
    const url = (config as Record<string, unknown>)[name];
    if (typeof url === 'string') refusePlain(url, { allowPlain });
  }
  return ca === undefined ? config : { ...config, ca: readCa(resolve(folder, ca)) };
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no file';
  return code ? `${code} when reading` : 'this is not JSON:';
}
