import 'reflect-metadata';
import {
  createPrivateKey,
  KeyObject,
  X509Certificate as NodeCertificate,
  randomBytes,
  webcrypto,
} from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { InputError } from '../../lib/errors.ts';

/*
 * A private CA and what it signs; the one owner of @peculiar/x509, which is slow to load and so is imported only by
 * commands that need it. Keys are of P-256: every TLS library knows it, and a handshake costs the server little.
 */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING = { ...ALGORITHM, hash: 'SHA-256' };
const DAY_MS = 86_400_000;

/** A certificate and its key, both in PEM. */
export type Pair = { certificate: string; key: string };
export type Authority = { certificate: X509Certificate; signingKey: webcrypto.CryptoKey };

/** Without a passphrase the key is not encrypted. */
export async function makeAuthority(days: number, passphrase?: string): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // A number of its own: two CAs of one name would be taken for each other where both are known.
    name: `CN=mega private CA ${randomBytes(4).toString('hex')}`,
    serialNumber: serialNumber(),
    ...lifetime(days),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: pemOf(keys.privateKey, passphrase) };
}

/** Error: `bad_passphrase`, and `bad_ca` for a key that is not that certificate's. */
export function openAuthority({ certificate, key }: Pair, passphrase?: string): Authority {
  const opened = new X509Certificate(certificate);
  const signing = openKey(key, passphrase);
  if (!new NodeCertificate(certificate).checkPrivateKey(signing))
    throw new InputError('bad_ca', "the CA's key is not that of its certificate: restore one of them");
  return { certificate: opened, signingKey: signing.toCryptoKey(SIGNING, false, ['sign']) };
}

/** A server's: for `names` (DNS names and IP addresses), and never longer than its CA is good for. */
export async function makeServerPair(authority: Authority, names: string[], days: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const { notBefore, notAfter } = lifetime(days);
  const ending = authority.certificate.notAfter;
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [names[0]!] }],
    issuer: authority.certificate.subjectName,
    serialNumber: serialNumber(),
    notBefore,
    notAfter: notAfter < ending ? notAfter : ending,
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey: authority.signingKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority.certificate),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: pemOf(keys.privateKey) };
}

/** From a day before, since not all clocks are right. */
function lifetime(days: number) {
  const now = Date.now();
  return { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + days * DAY_MS) };
}

/** Positive: the highest bit of its first byte is its sign. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

function pemOf(key: webcrypto.CryptoKey, passphrase?: string): string {
  const format = { type: 'pkcs8', format: 'pem' } as const;
  const sealed = passphrase === undefined ? format : { ...format, cipher: 'aes-256-cbc', passphrase };
  return KeyObject.from(key).export(sealed).toString();
}

function openKey(pem: string, passphrase?: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    const given = passphrase === undefined ? 'needs its passphrase' : 'does not open with this passphrase';
    throw new InputError('bad_passphrase', `the CA's key ${given}: --passphrase-file FILE`, { cause });
  }
}
