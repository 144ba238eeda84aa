import { z } from 'zod';
import { alertSettings, mailSettings } from './alert-settings.ts';
import { USER_NAME } from './people.ts';
import { amqpUrl, bytesPerSecond, httpUrl, mysqlUrl, security } from './settings.ts';
import { keyFromBase64 } from './trust/keys.ts';

const AGAIN = 'run mega setup again, which makes what is missing';
/** A private key, kept as the text that it is; what is wrong with it is said without showing it. */
const signingKey = z.string({ error: `is missing: ${AGAIN}` }).refine(isKey, `is no private key: ${AGAIN}`);

const DAY_MS = 86_400_000;

export const dispatcherConfig = z
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
    maxDownloadBytesPerSecond: bytesPerSecond.default(0),
    /** For how long a host that is not heard of keeps its place among them. */
    downloadLeaseMs: z.int().min(500).max(600_000).default(60_000),
    /** A package's stream goes when nobody asked for it for so long; it is made again on request. */
    streamKeepMs: z.int().min(500).default(3_600_000),
    /** A version that more hosts than so many had to go back from is quarantined for the whole fleet. */
    quarantineAfter: z.int().min(0).max(1_000_000).default(3),
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
    /** Without it alerts are logged, and kept for `mega alert list`. */
    mail: mailSettings.optional(),
    alerts: alertSettings,
    /** For how long log lines of hosts are kept. */
    logKeepMs: z
      .int()
      .min(1_000)
      .default(14 * DAY_MS),
    logLevel: z.string().default('info'),
  })
  .refine((config) => config.streamKeepMs >= config.downloadLeaseMs, {
    path: ['streamKeepMs'],
    error: 'not less than downloadLeaseMs, or a stream would go while it is read',
  });
export type DispatcherConfig = Readonly<z.infer<typeof dispatcherConfig>>;

function isKey(text: string): boolean {
  try {
    return keyFromBase64(text).type === 'private';
  } catch {
    return false;
  }
}
