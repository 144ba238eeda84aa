import { loadClientConfig } from '../config.ts';
import type { Functions } from '../functions.ts';
import { call as callOnce, openSender as open } from '../sender.ts';
import { callerConfig } from '../whose.ts';

/** The dispatcher's functions, `mega-fleet/sender`. */
export { InputError, MegaError, UnavailableError } from '../errors.ts';
export type { Functions } from '../functions.ts';

/** A function that this version knows, with types; another name is taken as well, for a newer dispatcher. */
export type FunctionName = keyof Functions | (string & {});
export type ArgsOf<N> = N extends keyof Functions ? Functions[N]['args'] : object;
export type AnswerOf<N> = N extends keyof Functions ? Functions[N]['answer'] : unknown;

export type CallOptions = {
  /** How long to wait for the answer, and before it for the broker. Default: 10,000. */
  timeoutMs?: number;
  /** Idempotency key, a UUID: the same call with the same key is carried out once. */
  key?: string;
};

/** Arguments may be left out where none is required. */
type Given<N> =
  Record<never, never> extends ArgsOf<N>
    ? [args?: ArgsOf<N>, options?: CallOptions]
    : [args: ArgsOf<N>, options?: CallOptions];
export type Call = <N extends FunctionName>(fn: N, ...given: Given<N>) => Promise<AnswerOf<N>>;

/**
 * One call of a function of the dispatcher, on a connection of its own:
 *
 *     const hosts = await call('get_all_server');
 *
 * It is made as the operator whom `$MEGA_CONFIG` (a file) names, or on a host, from a script under the agent's home, as
 * that host. Errors: the dispatcher's (`unknown_function`, `refused`, `bad_argument`, which names the field, ...), or
 * `no_config`, `broker_refused`, `broker_unavailable`, `no_dispatcher`, `no_answer`.
 */
export const call = callOnce as Call;

export type SenderOptions = {
  /** An operator's file, in the place of `$MEGA_CONFIG`. */
  config?: string;
  /** How long to wait for the broker. Default: 10,000. */
  timeoutMs?: number;
};
export type Sender = AsyncDisposable & { call: Call };

/** The same for many calls, over one connection. */
export async function openSender({ config, timeoutMs }: SenderOptions = {}): Promise<Sender> {
  return (await open(config === undefined ? callerConfig() : loadClientConfig(config), timeoutMs)) as Sender;
}
