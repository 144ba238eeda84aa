import { createPrivateKey, type KeyObject } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, FlattenedSign, flattenedVerify } from 'jose';
import { InputError, MegaError } from '../errors.ts';
import { keyId } from './keys.ts';

/**
 * The one owner of jose: signatures of messages (detached JWS, RFC 7515 appendix F, over the body as it is: RFC 7797),
 * and private keys locked with a passphrase (JWE, PBES2).
 */

/** Who may sign, by key id; undefined for a key that is not known (any more). */
export type KeyLookup = (kid: string) => KeyObject | undefined | Promise<KeyObject | undefined>;

/** The header `jws` of a message with this body. */
export async function signBody(body: Uint8Array, key: KeyObject): Promise<string> {
  const header = { alg: 'EdDSA', kid: keyId(key), b64: false, crit: ['b64'] };
  const jws = await new FlattenedSign(body).setProtectedHeader(header).sign(key);
  return `${jws.protected}..${jws.signature}`;
}

/**
 * The key's id when a known key has signed the body. Errors: `unsigned`, `bad_signature`, and `unknown_key` for a key
 * that `lookup` does not know: retired, or newer than what is known here.
 */
export async function verifyBody(body: Uint8Array, jws: unknown, lookup: KeyLookup): Promise<string> {
  if (typeof jws !== 'string') throw new MegaError('unsigned', 'it bears no signature');
  const [header = '', nothing, signature = '', ...more] = jws.split('.');
  if (nothing !== '' || more.length > 0) throw new MegaError('bad_signature', 'its signature is malformed');
  const kid = kidOf(header);
  const key = await lookup(kid);
  if (!key)
    throw new MegaError(
      'unknown_key',
      `it is signed by ${kid.slice(0, 16)}, which is no (longer a) known key`,
    );
  try {
    const options = { algorithms: ['EdDSA'], crit: { b64: true } };
    await flattenedVerify({ protected: header, payload: body, signature }, key, options);
    return kid;
  } catch (cause) {
    throw new MegaError('bad_signature', 'its signature does not fit its content', { cause });
  }
}

function kidOf(header: string): string {
  try {
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { kid?: unknown };
    if (typeof kid === 'string' && /^[0-9a-f]{64}$/.test(kid)) return kid;
  } catch {
    // Told below.
  }
  throw new MegaError('bad_signature', 'its signature names no key');
}

/** OWASP's figure for PBKDF2 with SHA-512 is 210,000; a passphrase is asked for seldom. */
const ITERATIONS = 600_000;

/** A private key as a file holds it: a JWE that only the passphrase opens. */
export async function lockKey(key: KeyObject, passphrase: string): Promise<string> {
  const clear = Buffer.from(JSON.stringify(key.export({ format: 'jwk' })));
  return new CompactEncrypt(clear)
    .setProtectedHeader({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', kid: keyId(key) })
    .setKeyManagementParameters({ p2c: ITERATIONS })
    .encrypt(Buffer.from(passphrase.normalize('NFC'), 'utf8'));
}

/** Which key a locked file holds; undefined for a file that is none. */
export function lockedKeyId(text: string): string | undefined {
  try {
    return kidOf(text.split('.')[0] ?? '');
  } catch {
    return undefined;
  }
}

/** Error: `bad_passphrase`, for a damaged file as well, since the two cannot be told apart. */
export async function unlockKey(text: string, passphrase: string): Promise<KeyObject> {
  try {
    const options = { maxPBES2Count: ITERATIONS, keyManagementAlgorithms: ['PBES2-HS512+A256KW'] };
    const secret = Buffer.from(passphrase.normalize('NFC'), 'utf8');
    const { plaintext } = await compactDecrypt(text.trim(), secret, options);
    return createPrivateKey({ key: JSON.parse(Buffer.from(plaintext).toString('utf8')), format: 'jwk' });
  } catch {
    throw new InputError('bad_passphrase', 'the passphrase does not open the key, or its file is damaged');
  }
}
