import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { codeOf, InputError } from './errors.ts';

/**
 * How connections are kept from others on the way.
 *
 * TLS verifies the other side's chain and name, always; there is no setting that leaves this out. Plain connections go
 * to loopback only, unless a configuration says `allowPlain: true`, which is warned about at every start. A scheme says
 * which it is (`amqps`, `https`, `smtps`); databases and mail servers have one scheme for both and begin in plain text,
 * so there it is TLS everywhere but on loopback, and `?tls=on` or `?tls=off` in the URL says otherwise.
 */
export type Security = {
  /** The certificates (PEM) of the CAs that servers are verified by; without it, those that Node.js trusts. */
  ca?: string | undefined;
  allowPlain?: boolean | undefined;
};

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Names are not looked up: what a name leads to may be another address tomorrow. */
export function isLoopback(hostname: string): boolean {
  const host = bareHost(hostname).toLowerCase();
  const family = isIP(host);
  if (family !== 0) return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
  return host === 'localhost' || host.endsWith('.localhost');
}

/** Without the brackets that an IPv6 address has in a URL. */
export const bareHost = (hostname: string) => hostname.replace(/^\[|\]$/g, '');

/** Whether others on the way could read and change what is said to this URL. */
export function isOpen(url: string): boolean {
  const target = new URL(url);
  if (/^(amqps|https|smtps):$/.test(target.protocol) || isLoopback(target.hostname)) return false;
  return /^(amqp|http):$/.test(target.protocol) || target.searchParams.get('tls') === 'off';
}

/** Error: `plain_refused`, for an open connection that no configuration allows. */
export function refusePlain(url: string, { allowPlain = false }: Security): void {
  if (allowPlain || !isOpen(url)) return;
  const where = withoutLogin(url);
  const { protocol } = new URL(url);
  const remedy = /^(amqp|http):$/.test(protocol)
    ? `use ${protocol.slice(0, -1)}s:// and its port (mega certs makes certificates)`
    : 'leave out tls=off';
  const risk = 'whoever is on the way could read the password and change what is said';
  throw new InputError(
    'plain_refused',
    `${where} is spoken to without TLS, and ${risk}: ${remedy}, or set "allowPlain": true`,
  );
}

/** What is to be said at every start: one line for each connection that is open. */
export function plainWarnings(urls: string[]): string[] {
  const tell = (url: string) =>
    `${withoutLogin(url)} is spoken to without TLS, which "allowPlain" allows: others can read it`;
  return urls.filter(isOpen).map(tell);
}

function withoutLogin(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/**
 * How to reach a server whose URL names no such thing in its scheme (`mysql`, `smtp`): `tls=on|off` and `ca=FILE` of
 * the URL win over `given`. Errors: `bad_argument` for what is not one of these, `bad_ca`.
 */
export function tlsOf(url: URL, given: { ca?: string | undefined; tls?: boolean | undefined } = {}) {
  for (const name of url.searchParams.keys()) {
    if (name === 'tls' || name === 'ca') continue;
    const known = 'a URL of a server may end in ?tls=on, ?tls=off or ?ca=FILE';
    throw new InputError('bad_argument', `the parameter "${name}" is not known: ${known}`);
  }
  const said = url.searchParams.get('tls');
  if (said !== null && said !== 'on' && said !== 'off')
    throw new InputError('bad_argument', `tls=${said} is neither tls=on nor tls=off`);
  const file = url.searchParams.get('ca');
  const ca = file === null ? given.ca : readCa(resolve(file));
  const byDefault = given.tls ?? (file !== null || !isLoopback(url.hostname));
  return { tls: said === null ? byDefault : said === 'on', ca };
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM file, which must be of CAs. Error: `bad_ca`, with what is wrong with the file. */
export function readCa(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : codeOf(cause);
    throw new InputError('bad_ca', `the CA's certificate ${path} cannot be read: ${why}`, { cause });
  }
  if (text.includes('PRIVATE KEY-----'))
    throw new InputError('bad_ca', `${path} holds a private key: name the CA's certificate, such as ca.crt`);
  const found = text.match(PEM) ?? [];
  if (found.length === 0)
    throw new InputError('bad_ca', `${path} holds no certificate (PEM, -----BEGIN CERTIFICATE-----)`);
  for (const one of found) refuseUnlessCa(one, path);
  return `${found.join('\n')}\n`;
}

function refuseUnlessCa(pem: string, path: string): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (cause) {
    throw new InputError('bad_ca', `a certificate in ${path} cannot be read: was the file cut off?`, {
      cause,
    });
  }
  if (certificate.ca) return;
  const subject = certificate.subject.replaceAll('\n', ', ');
  throw new InputError('bad_ca', `${path} holds the certificate of ${subject}, which is no CA`);
}
