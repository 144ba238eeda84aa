/**
 * Every error of ours: `code` says why in one stable word that scripts may test, the message says what
 * happened and what to do next, `cause` keeps what was underneath.
 */
export class MegaError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'MegaError';
    this.code = code;
  }
}

/** The caller gave something unusable; asking again with the same input cannot help. */
export class InputError extends MegaError {
  override name = 'InputError';
}

/** A server we need (broker, database, dispatcher) cannot be had now; asking later may help. */
export class UnavailableError extends MegaError {
  override name = 'UnavailableError';
}

/** The stable word of any thrown thing: ours, Node's (`ECONNREFUSED`), a broker's reply code, or `unknown`. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' || typeof code === 'number' ? String(code) : 'unknown';
}

/** One line a person can read, with its causes; passwords in URLs are struck out. */
export function describe(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at && parts.length < 4; at = (at as { cause?: unknown }).cause) {
    const text = at instanceof Error ? textOf(at) : String(at);
    if (text && !parts.some((part) => part.includes(text))) parts.push(text);
  }
  return withoutSecrets(parts.join(': ')) || 'unknown error';
}

/** Node's AggregateError (a refused connection on both IPv4 and IPv6) has an empty message of its own. */
function textOf(error: Error): string {
  if (error.message) return error.message.trim(); // OpenSSL's end with a new line
  const first = (error as { errors?: unknown[] }).errors?.[0];
  return first instanceof Error ? first.message : codeOf(error);
}

/** Strikes out the password of every URL in a text. Schemes are bounded: else a word of 70,000 letters took ten seconds. */
export function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]{0,20}:\/\/[^\s:/@]*):[^\s/]+@/gi, '$1:***@');
}
