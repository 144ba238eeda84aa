type Json = Record<string, unknown>;

/** Of each task or job in a list, so that hundreds of them fit into one answer. */
const MAX_LISTED_BYTES = 1_024;

/** Arguments as they are shown: what a script is given to read may be a secret, so only that there is something. */
export function shownArgs(args: Json): Json {
  return typeof args.stdin === 'string' ? { ...args, stdin: '***' } : args;
}

/** In a list what is large is left out; `get_task` and `get_job` have it. */
export function listed<T extends Json | null>(value: T): T | { leftOut: string } {
  const bytes = value === null ? 0 : Buffer.byteLength(JSON.stringify(value));
  return bytes > MAX_LISTED_BYTES ? { leftOut: `${bytes} bytes; ask for this one alone` } : value;
}
