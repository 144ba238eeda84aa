import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { endsSoon } from '../../lib/certificate.ts';
import { InputError } from '../../lib/errors.ts';
import { readIfThere, writeDurably } from '../../lib/files.ts';
import { makeAuthority, makeServerPair, openAuthority, type Pair } from './authority.ts';

export type Wanted = {
  out: string;
  /** For each server the names that its certificate is to hold; its files bear the first. */
  servers: string[][];
  days: number;
  caDays: number;
  passphrase?: string | undefined;
};

export type Paths = { certificate: string; key: string };
/** `why` it was made; undefined when what was there is kept. */
export type Made = Paths & { names: string[]; ends: Date; why: string | undefined };

/**
 * Makes what is missing in a folder: a CA, and a certificate for each server. The CA stays whatever happens, since all
 * that trust it would have to be given another; a server's certificate is made anew when it no longer serves.
 *
 * Keys are written before their certificates: what was cut off in between is seen as a pair that does not fit.
 */
export async function fillFolder(wanted: Wanted): Promise<{ ca: Made; servers: Made[] }> {
  const out = resolve(wanted.out);
  mkdirSync(out, { recursive: true });
  const ca = await keepOrMakeCa(pathsIn(out, 'ca'), wanted);
  const authority = openAuthority(ca.pair, wanted.passphrase);
  const trusted = new X509Certificate(ca.pair.certificate);
  const servers: Made[] = [];
  for (const names of wanted.servers) {
    const at = pathsIn(out, names[0]!.replaceAll(':', '_'));
    const there = readPair(at);
    const why = whyAnother(there, names, trusted);
    const pair = why === undefined ? there : await makeServerPair(authority, names, wanted.days);
    servers.push(keep(at, pair as Pair, names, why));
  }
  return { ca: keep(ca.at, ca.pair, [], ca.why), servers };
}

/** Writes what was made just now. */
function keep(at: Paths, pair: Pair, names: string[], why: string | undefined): Made {
  if (why !== undefined) {
    writeDurably(at.key, pair.key, 0o600);
    writeDurably(at.certificate, pair.certificate, 0o644);
  }
  return { ...at, names, why, ends: new X509Certificate(pair.certificate).validToDate };
}

async function keepOrMakeCa(at: Paths, { caDays, passphrase }: Wanted) {
  const { certificate, key } = readPair(at);
  if (certificate && key) return { at, pair: { certificate, key }, why: undefined };
  if (!certificate && !key)
    return { at, pair: await makeAuthority(caDays, passphrase), why: 'there was none' };
  const missing = key ? at.certificate : at.key;
  const remedy = 'restore it, or make another CA in another folder (--out)';
  throw new InputError('bad_ca', `${missing} is missing, and what it belongs to is there: ${remedy}`);
}

/** Why a server needs another certificate; undefined when it has a good one. */
function whyAnother(
  { certificate, key }: Partial<Pair>,
  names: string[],
  ca: X509Certificate,
): string | undefined {
  if (!certificate || !key) return 'there was none';
  const found = parse(certificate);
  if (!found?.verify(ca.publicKey)) return 'the one there was not made by this CA';
  if (!fits(found, key)) return 'the one there has another key';
  const missing = names.find((name) => !isFor(found, name));
  if (missing !== undefined) return `the one there is not for ${missing}`;
  return endsSoon(found.validToDate) ? 'the one there was about to expire' : undefined;
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined; // then another is made
  }
}

function fits(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

const isFor = (certificate: X509Certificate, name: string) =>
  (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;

const pathsIn = (folder: string, name: string): Paths => ({
  certificate: join(folder, `${name}.crt`),
  key: join(folder, `${name}.key`),
});

const readPair = (at: Paths): Partial<Pair> => {
  const [certificate, key] = [readIfThere(at.certificate), readIfThere(at.key)];
  return { ...(certificate ? { certificate } : {}), ...(key ? { key } : {}) };
};
