import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { InputError } from '../errors.ts';

/**
 * Ed25519 keys, the only kind in use: a private one signs metadata or orders, its public half is named by its id.
 * Online keys are kept in base64 (dispatcher.json), offline ones locked with a passphrase (jose.ts).
 */
export function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

export const publicHalf = (key: KeyObject): KeyObject => (key.type === 'public' ? key : createPublicKey(key));

/** The public half as TUF writes it: 64 hex digits. */
export function publicHex(key: KeyObject): string {
  const { x } = publicHalf(key).export({ format: 'jwk' });
  return Buffer.from(x!, 'base64url').toString('hex');
}

/** From {@link publicHex}. Error: `bad_key`. */
export function publicFromHex(hex: string): KeyObject {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new InputError('bad_key', 'not the public half of an Ed25519 key');
  const x = Buffer.from(hex, 'hex').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

/** TUF 4.2: the SHA-256 of the key's canonical form, 64 hex digits; whoever holds the key can check it. */
export function keyId(key: KeyObject): string {
  const canonical = { keytype: 'ed25519', keyval: { public: publicHex(key) }, scheme: 'ed25519' };
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}

export function keyToBase64(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'der' }).toString('base64');
}

/** Error: `bad_key`, which never shows the text. */
export function keyFromBase64(text: string): KeyObject {
  try {
    const key = createPrivateKey({ key: Buffer.from(text, 'base64'), type: 'pkcs8', format: 'der' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Told below: what the library says may quote the key.
  }
  throw new InputError('bad_key', 'not an Ed25519 private key in PKCS#8, base64');
}
