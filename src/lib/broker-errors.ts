import { codeOf, describe, InputError, UnavailableError, withoutSecrets } from './errors.ts';
import { tlsTrouble } from './tls-errors.ts';

export function brokerUnavailable(url: string, cause: unknown): UnavailableError {
  const what = cause instanceof Error ? whatToDo(cause, url) : 'the broker cannot be reached';
  return new UnavailableError('broker_unavailable', `${what}: ${withoutSecrets(url)}`, { cause });
}

/** For people and scripts, whose login does not become right by waiting. */
export function loginRefused(url: string): InputError {
  const why =
    'the broker refuses the user or the password: was the user removed, or its file or token replaced?';
  const remedy = 'an admin makes a new one: mega user add, or mega user token create';
  return new InputError('broker_refused', `${why} ${remedy}: ${withoutSecrets(url)}`);
}

/** What a person should look at first. */
export function whatToDo(error: Error, url: string): string {
  const text = describe(error);
  const code = codeOf(error);
  const tls = tlsTrouble(error, 'the broker');
  if (tls) return tls;
  const blocked = /^blocked: (.*)/.exec(text)?.[1];
  if (blocked) return `the broker takes no messages for now (${blocked})`;
  if (/NOT.FOUND - no exchange/.test(text))
    return 'the broker was never set up for mega: start a dispatcher once';
  if (/ACCESS.REFUSED|403/.test(text))
    return 'the broker refuses the user or the password: were they changed, or the host removed?';
  const cutOff = /cut off until .*/.exec(text)?.[0];
  if (cutOff) return `the dispatcher has had the connection closed: ${cutOff}`;
  // The client does not tell what the broker said: that there is no such vhost, or that the user has connections enough.
  if (/got <ConnectionClose/.test(text))
    return 'the broker lets this user not in: is the vhost there, and is this host cut off (mega host show)?';
  if (/vhost .* not found|NOT_ALLOWED|530/i.test(text))
    return 'the broker does not let this user into the vhost';
  if (code === 'ECONNREFUSED' || /ECONNREFUSED/.test(text)) return 'no broker listens there';
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return 'the name of the broker cannot be resolved';
  if (/ECONNRESET|closed abruptly/.test(text) && url.startsWith('amqp:'))
    return 'the broker ended the connection: has it stopped, or is this its port for TLS (then amqps://)?';
  return 'the broker cannot be reached';
}

/** The user or the password is wrong; a right that is missing is refused in other words. */
export const isRefusedLogin = (error: Error) =>
  /Login was refused|ACCESS.REFUSED.*login/i.test(describe(error));
