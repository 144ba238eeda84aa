import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Authority,
  makeAuthority,
  makeServerPair,
  openAuthority,
} from '../../src/cli/certs/authority.ts';

/** Paths, as a server's configuration wants them. */
export type CertificateFiles = { ca: string; certificate: string; key: string };

const NAMES = ['localhost', '127.0.0.1', '::1'];
const DAYS = 365;

/** One CA for all servers that this process starts, so that one file is enough to trust them all. */
let authority: Promise<{ pem: string; opened: Authority }> | undefined;

async function ownAuthority() {
  const pair = await makeAuthority(DAYS);
  return { pem: pair.certificate, opened: openAuthority(pair) };
}

/** Puts into a server's folder what it needs for TLS, made as `mega certs` makes it; the CA's key is never written. */
export async function giveCertificate(folder: string, days = DAYS): Promise<CertificateFiles> {
  authority ??= ownAuthority();
  const { pem, opened } = await authority;
  const pair = await makeServerPair(opened, NAMES, days);
  const at = (name: string) => join(folder, name);
  const files = { ca: at('ca.crt'), certificate: at('server.crt'), key: at('server.key') };
  await writeFile(files.ca, pem);
  await writeFile(files.certificate, pair.certificate);
  await writeFile(files.key, pair.key, { mode: 0o600 });
  return files;
}
