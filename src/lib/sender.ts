import { userInfo } from 'node:os';
import { basename } from 'node:path';
import { Broker } from './broker.ts';
import { loginRefused } from './broker-errors.ts';
import { InputError, MegaError, UnavailableError } from './errors.ts';
import { decode, encode, type Origin, reply } from './messages.ts';
import type { Security } from './secure.ts';
import { EXCHANGE, upKey } from './topology.ts';
import { type KeyLookup, verifyBody } from './trust/jose.ts';
import { get_host_name, uuidv7 } from './utils.ts';
import { callerConfig } from './whose.ts';

export type Call = <T = unknown>(fn: string, args?: object, options?: CallOptions) => Promise<T>;
export type CallOptions = {
  timeoutMs?: number;
  /** Idempotency key: the same call with the same key is carried out once. */
  key?: string;
  /** The answer must be signed by one of these keys, for this very call. */
  signedBy?: KeyLookup;
};

/**
 * Calls of the dispatcher's functions over one connection:
 *
 *     await using sender = await openSender();
 *     const hosts = await sender.call('get_all_server');
 *
 * Errors bear the dispatcher's own code (`unknown_function`, `refused`, `bad_argument`, ...), or ours:
 * `broker_refused` (the login), `broker_unavailable`, `no_dispatcher`, `no_answer`. An UnavailableError, whosever it is,
 * may be asked again; an InputError will be the same again.
 */
export type Sender = AsyncDisposable & { call: Call };

export async function openSender(
  config: { broker: string } & Security = callerConfig(),
  timeoutMs = 10_000,
  from = ownOrigin(),
): Promise<Sender> {
  const { broker: url, ca, allowPlain } = config;
  const broker = await Broker.start({ url, ca, allowPlain, name: 'mega sender', reconnectMs: 500 });
  // An agent goes on trying for ever; whoever waits for an answer is told at once.
  const refused = new AbortController();
  broker.once('refused', () => refused.abort(loginRefused(url)));
  try {
    await broker.ready(timeoutMs, refused.signal);
  } catch (error) {
    await broker.close();
    throw error;
  }
  return { call: caller(broker, from), [Symbol.asyncDispose]: () => broker.close() };
}

/** One call on a connection of its own; for many calls use {@link openSender}. */
export async function call<T = unknown>(fn: string, args: object = {}, options?: CallOptions): Promise<T> {
  await using sender = await openSender(undefined, options?.timeoutMs);
  return await sender.call<T>(fn, args, options);
}

/** What the dispatcher writes down of where a change was asked for. */
export function ownOrigin(program = basename(process.argv[1] ?? 'node')): Origin {
  let user = String(process.getuid?.());
  try {
    user = userInfo().username;
  } catch {
    // A process of a user whom the system has no name for.
  }
  return { host: get_host_name(), user, program };
}

/** The same on a broker connection that is there already. */
export function caller(broker: Broker, from?: Origin): Call {
  return async <T>(
    fn: string,
    args: object = {},
    { timeoutMs = 10_000, key = uuidv7(), signedBy }: CallOptions = {},
  ) => {
    const message = {
      exchange: EXCHANGE.up,
      key: upKey('call', broker.user),
      type: 'call',
      messageId: key,
      body: encode({ fn, args, from }),
      transient: true,
      expiresMs: timeoutMs,
    };
    const { body, headers } = await broker.ask(message, timeoutMs);
    const answer = decode(reply, body);
    if (answer.ok && signedBy) await believe(body, headers.jws, answer.id === key, signedBy);
    if (answer.ok) return answer.result as T;
    const { code, message: text, later } = answer.error;
    const Kind = later ? UnavailableError : ASKED_WRONGLY.test(code) ? InputError : MegaError;
    throw new Kind(code, text);
  };
}

const ASKED_WRONGLY = /^(unknown_|bad_argument$|refused$)/;

/** An answer to another call, however well signed, is an old one that somebody plays again. */
async function believe(body: Buffer, jws: unknown, isOurs: boolean, signedBy: KeyLookup): Promise<void> {
  await verifyBody(body, jws, signedBy);
  if (!isOurs) throw new MegaError('bad_signature', 'the signed answer is one to another call');
}
