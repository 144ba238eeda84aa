import { createHash, createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { InputError } from './errors.ts';
import { check, schemas } from './messages.ts';

/**
 * What a new machine is given to join: where the broker is, what to trust it by, and a secret that is good for
 * calling `enrol` and nothing else. One word, `mega1.<base64url of JSON>`, that survives a shell and a chat.
 */
const PREFIX = 'mega1.';
/** Of a token, with a certificate in it. */
export const MAX_TOKEN_BYTES = 64 << 10;

const base64url = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const parts = z.object({
  v: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{12}$/),
  /** 32 random bytes; the database keeps their SHA-256. */
  secret: base64url,
  /** Without a login. */
  broker: z.url({ protocol: /^amqps?$/ }),
  /** The certificate that the broker is verified by, DER in base64. */
  ca: z.base64().optional(),
  /** SHA-256 of the root.json that the answer must carry. */
  root: schemas.sha256,
});
export type Token = z.infer<typeof parts>;

export const newTokenSecret = () => randomBytes(32).toString('base64url');
export const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');
/** A token's name tells nothing of its secret, and the same secret has the same name. */
export const tokenIdOf = (sha256: string) => sha256.slice(0, 12);
/** The broker's password is made of the secret, so that the broker never has the secret itself. */
export const joinPassword = (secret: string) =>
  createHmac('sha256', secret).update('mega join').digest('base64url');

/** The same token always gives the same text. */
export function encodeToken(token: Token): string {
  const { v, id, secret, broker, ca, root } = token;
  const text = JSON.stringify({ v, id, secret, broker, ca, root, sum: sumOf(token) });
  return PREFIX + Buffer.from(text).toString('base64url');
}

/** Error: `bad_token`, also for one of which a single letter is wrong or missing. */
export function decodeToken(text: string): Token {
  try {
    if (!text.startsWith(PREFIX)) throw new InputError('bad_token', `it must begin with ${PREFIX}`);
    const read: unknown = JSON.parse(Buffer.from(text.slice(PREFIX.length), 'base64url').toString('utf8'));
    const token = check(parts, read, 'bad_token');
    if (encodeToken(token) !== text) throw new InputError('bad_token', 'its sum is wrong');
    return token;
  } catch {
    // What was wrong may quote a part of the secret.
    throw new InputError(
      'bad_token',
      'this is no token, or a part of it was changed or lost on the way: copy the whole line that mega token create printed',
    );
  }
}

/** Against slips of copying alone: who can change a token can make its sum, too. */
const sumOf = ({ v, id, secret, broker, ca, root }: Token) =>
  sha256Hex(JSON.stringify([v, id, secret, broker, ca ?? null, root])).slice(0, 16);
