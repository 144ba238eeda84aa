import { z } from 'zod';
import { MegaError } from './errors.ts';
import { HOST_ID, VERSION } from './utils.ts';

/**
 * One schema per message; the types follow. All bodies are JSON that reads well in the RabbitMQ page.
 * `v` is the format's version: a reader refuses a `v` it does not know, and new fields are added without
 * changing it (unknown fields are dropped, so an older reader still understands).
 */
const FORMAT = 1;
export const MAX_BODY_BYTES = 1 << 20;
const MAX_REASON = 2000;

const v = z.literal(FORMAT);
const host = z.string().regex(HOST_ID, 'a host id: a-z, 0-9 and -, at most 63');
const version = z.string().regex(VERSION, 'a version such as 1.4.0');
const taskId = z.uuid();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const millis = z.int().min(0);
const seq = z.int().min(1).max(1_000_000_000);
const reason = z.string().transform((text) => text.slice(0, MAX_REASON));
const json = z.record(z.string(), z.unknown());
const runtime = z.string().regex(/^node-\d{1,4}\.\d{1,4}\.\d{1,4}$/, 'a runtime such as node-24.21.0');

/** Of a secret, as RabbitMQ keeps it: base64 of salt and digest. */
const passwordHash = z.string().regex(/^[A-Za-z0-9+/=]{40,100}$/);
/** The key by which a machine is known again. */
const machine = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const platform = z.string().regex(/^[a-z0-9]{1,16}-[a-z0-9]{1,16}$/, 'a platform such as linux-x64');
/** The last host of the page before; nothing for the first page. */
const afterHost = host.or(z.literal(''));

export const schemas = {
  ...{ host, version, sha256, reason, json, runtime, platform },
  ...{ passwordHash, machine, afterHost },
};

/** How long and how often a new release may try before the loader goes back. */
export const trial = z.object({
  starts: z.int().min(1).max(20),
  seconds: z.int().min(5).max(3600),
  hangSeconds: z.int().min(3).max(3600),
});
export type Trial = z.infer<typeof trial>;

/** A trial as it may be asked for: what is not said gets its usual value. */
export const trialWanted = z
  .object({
    starts: trial.shape.starts.default(3),
    seconds: trial.shape.seconds.default(120),
    hangSeconds: trial.shape.hangSeconds.default(60),
  })
  .prefault({});

export const upgradeArgs = z.object({
  to: version,
  sha256,
  size: z.int().min(1),
  platforms: z.array(z.string()),
  runtime,
  /** By platform, where it is published: the package of that runtime, for hosts that do not have it. */
  runtimes: z.record(z.string(), z.object({ sha256, size: z.int().min(1) })).default({}),
  trial,
  released: millis.optional(), // from its last quarantine: what the host skipped before counts no more
  /** It was asked for that hosts go back to an older version. */
  downgrade: z.boolean().default(false),
  /** What the operator saw the host run when the order was planned; anything else is refused. */
  expect: version.nullable(),
});
export type UpgradeArgs = z.infer<typeof upgradeArgs>;

/**
 * Dispatcher → one host, signed (header `jws`). `issued` and `expires` are the dispatcher's clock, in ms since 1970.
 */
export const order = z.object({
  v,
  task: taskId,
  host,
  /** How many orders of this task were signed, with this one. */
  sequence: z.int().min(0),
  type: z.string().regex(/^[a-z][a-z0-9_]{0,40}$/),
  args: json,
  issued: millis,
  expires: millis,
  timeoutMs: z
    .int()
    .min(100)
    .max(7 * 86_400_000),
});
export type Order = z.infer<typeof order>;

export const RUN_STATES = ['accepted', 'running'] as const;
export const END_STATES = [
  'succeeded',
  'failed',
  'timed_out',
  'interrupted',
  'rejected',
  'cancelled',
] as const;

export const PHASES = [
  'preflight',
  'downloading',
  'verifying',
  'staging',
  'switching',
  'restarting',
  'watching',
  'waiting_for_broker',
  'completed',
  'rolling_back',
  'rolled_back',
  'rollback_failed',
  'postponed',
] as const;
const phase = z.enum(PHASES);
export type Phase = z.infer<typeof phase>;

const about = { v, task: taskId, host, seq, at: millis };

/** Agent → dispatcher: how far a task has come. `seq` rises by one for each thing said about one task. */
export const progress = z.object({
  kind: z.literal('progress'),
  ...about,
  state: z.enum(RUN_STATES),
  phase: phase.optional(),
  reason: reason.optional(),
});
export type Progress = z.infer<typeof progress>;

/** Proof that the new process answered the dispatcher's probe (I3). */
export const proof = z.object({ nonce: z.string().max(64), boot: z.uuid(), version });
export type Proof = z.infer<typeof proof>;

/** Agent → dispatcher: how a task ended. */
export const result = z.object({
  kind: z.literal('result'),
  ...about,
  state: z.enum(END_STATES),
  phase: phase.optional(),
  reason: reason.optional(),
  output: json.optional(),
  proof: proof.optional(),
  /** What the host runs now. */
  running: version,
});
export type Result = z.infer<typeof result>;

/** Agent → dispatcher, transient: I am here. */
export const heartbeat = z.object({
  kind: z.literal('heartbeat'),
  v,
  host,
  boot: z.uuid(),
  version,
  at: millis,
  /** Why its owner holds it. */
  held: reason.optional(),
});
export type Heartbeat = z.infer<typeof heartbeat>;

/** Agent → dispatcher, transient: this process ends, and none follows until somebody starts it. */
export const goodbye = z.object({ kind: z.literal('goodbye'), v, host, boot: z.uuid() });
export type Goodbye = z.infer<typeof goodbye>;

/** New agent → dispatcher: the probe's answer; only when the broker confirmed it is the trial closed. */
export const answer = z.object({ kind: z.literal('answer'), v, task: taskId, host, proof });
export type Answer = z.infer<typeof answer>;

/** Agent → dispatcher: something in my queue could not be read; it is parked in `mega.dead`. */
export const parked = z.object({
  kind: z.literal('parked'),
  v,
  host,
  reason,
  sender: z.string().max(255),
  body: z.string().max(8192),
});
export type Parked = z.infer<typeof parked>;

export const event = z.discriminatedUnion('kind', [progress, heartbeat, goodbye, answer, parked]);
export type Event = z.infer<typeof event>;

const word = z.string().transform((text) => text.slice(0, 255));
/** From where a call comes, in the caller's own word: the broker checks who calls, and nothing of this. */
export const origin = z.object({ host: word, user: word, program: word });
export type Origin = z.infer<typeof origin>;

/** A call of one of the dispatcher's functions; `message-id` is its idempotency key. */
export const call = z.object({ v, fn: z.string().max(64), args: json, from: origin.optional() });
export type Call = z.infer<typeof call>;

export const reply = z.discriminatedUnion('ok', [
  /** `id`: of the call that it answers, where the answer is signed (header `jws`). */
  z.object({ v, ok: z.literal(true), id: z.string().optional(), result: z.unknown() }),
  z.object({
    v,
    ok: z.literal(false),
    /** `later`: the dispatcher could not answer now, and asking again may help. */
    error: z.object({ code: z.string(), message: z.string(), later: z.boolean().default(false) }),
  }),
]);
export type Reply = z.infer<typeof reply>;

/** One chunk's headers; the body is the bytes. A reader takes chunks in any order and drops duplicates. */
export const chunkHeaders = z.object({ index: z.int().min(0), count: z.int().min(1), sha256 });

/** What the dispatcher says of an artifact that is ready to be read. */
export const artifact = z.object({
  sha256,
  size: z.int().min(1),
  chunkBytes: z.int().min(1),
  chunks: z.int().min(1),
  queue: z.string(),
  /** What this host may read of it at most; not said where there is no limit. */
  maxBytesPerSecond: z.int().min(1).optional(),
});
export type Artifact = z.infer<typeof artifact>;

export function encode<T extends object>(message: T): Buffer {
  return Buffer.from(JSON.stringify({ v: FORMAT, ...message }));
}

/** Reads one message; the error says which field is wrong, for `mega.dead`. */
export function decode<S extends z.ZodType>(schema: S, body: Buffer): z.infer<S> {
  if (body.length > MAX_BODY_BYTES) {
    throw new MegaError(
      'oversized',
      `message of ${body.length} bytes; at most ${MAX_BODY_BYTES} are allowed`,
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new MegaError('malformed', 'message is not JSON', { cause });
  }
  return check(schema, parsed, 'malformed');
}

/** Validates a value; throws a {@link MegaError} that names the first wrong fields. */
export function check<S extends z.ZodType>(schema: S, value: unknown, code = 'bad_argument'): z.infer<S> {
  const outcome = schema.safeParse(value);
  if (outcome.success) return outcome.data;
  const issues = outcome.error.issues
    .slice(0, 3)
    .map((one) => `${one.path.join('.') || 'it'}: ${one.message}`);
  throw new MegaError(code, issues.join('; '));
}
