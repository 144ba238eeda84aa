import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeServerPair, openAuthority } from '../src/cli/certs/authority.ts';
import { AHEAD_DAYS, expiryWarning } from '../src/lib/certificate.ts';
import { run, scratch } from './support/cli.ts';

const DAY_MS = 86_400_000;

describe('mega certs', () => {
  const folder = scratch();
  const out = join(folder.path, 'certs');
  const at = (name: string) => join(out, name);
  const text = (name: string) => readFileSync(at(name), 'utf8');
  const certificate = (name: string) => new X509Certificate(text(name));
  const certs = (...args: string[]) => run(['certs', '--out', out, ...args]);
  const TWO = ['--name', 'rabbit.example.org,192.0.2.7,::1', '--name', 'db.example.org'];
  let first: Awaited<ReturnType<typeof run>>;

  before(async () => {
    first = await certs(...TWO);
  });
  after(() => folder[Symbol.dispose]());

  test('makes a CA and a certificate for each server, and nobody else may read the keys', () => {
    assert.equal(first.code, 0, first.err);
    assert.deepEqual(readdirSync(out).sort(), [
      ...['ca.crt', 'ca.key', 'db.example.org.crt', 'db.example.org.key'],
      ...['rabbit.example.org.crt', 'rabbit.example.org.key'],
    ]);
    for (const name of readdirSync(out)) {
      assert.equal(statSync(at(name)).mode & 0o777, name.endsWith('.key') ? 0o600 : 0o644, name);
    }
  });

  test('says what goes into rabbitmq.conf and my.cnf, with the paths as they are', () => {
    const [rabbit, db] = [at('rabbit.example.org'), at('db.example.org')];
    for (const line of [
      'listeners.ssl.default = 5671',
      `ssl_options.cacertfile = ${at('ca.crt')}`,
      `ssl_options.certfile = ${rabbit}.crt`,
      `management.ssl.keyfile = ${rabbit}.key`,
      `ssl_ca = ${at('ca.crt')}`,
      `ssl_cert = ${db}.crt`,
      `ssl_key = ${db}.key`,
    ]) {
      assert.ok(first.out.includes(`  ${line}\n`), line);
    }
  });

  test('openssl finds the certificates good for servers, for each of their names and no other', () => {
    const verify = (...args: string[]) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-purpose', 'sslserver', ...args], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString();
    const rabbit = ['-CAfile', at('ca.crt'), at('rabbit.example.org.crt')];
    assert.match(verify('-verify_hostname', 'rabbit.example.org', ...rabbit), /: OK\n$/);
    for (const ip of ['192.0.2.7', '::1']) assert.match(verify('-verify_ip', ip, ...rabbit), /: OK\n$/);
    assert.throws(() => verify('-verify_hostname', 'db.example.org', ...rabbit));
    assert.throws(() => verify('-verify_ip', '192.0.2.8', ...rabbit));
    assert.throws(() => verify('-CAfile', at('db.example.org.crt'), at('rabbit.example.org.crt')));
  });

  test('a server cannot make certificates with its own, and the CA none that may', () => {
    assert.equal(certificate('rabbit.example.org.crt').ca, false);
    assert.equal(certificate('ca.crt').ca, true);
    const shown = execFileSync('openssl', ['x509', '-noout', '-text', '-in', at('ca.crt')]).toString();
    assert.match(shown, /CA:TRUE, pathlen:0/);
  });

  test('run again it keeps what is good', async () => {
    const before = readdirSync(out).map(text);
    const again = await certs(...TWO);
    assert.equal(again.code, 0, again.err);
    assert.equal(again.out.match(/, kept$/gm)?.length, 3);
    assert.deepEqual(readdirSync(out).map(text), before);
  });

  test('run again it makes what is missing, has other names, or ends soon, and keeps the CA', async () => {
    const ca = { certificate: text('ca.crt'), key: text('ca.key') };
    const soon = await makeServerPair(openAuthority(ca), ['db.example.org'], AHEAD_DAYS - 1);
    writeFileSync(at('db.example.org.crt'), soon.certificate);
    writeFileSync(at('db.example.org.key'), soon.key);
    const { code, out: said } = await certs(
      ...['--name', 'rabbit.example.org,rabbit-2.example.org', '--name', 'db.example.org', '--name', 'new'],
    );
    assert.equal(code, 0);
    assert.match(
      said,
      /^rabbit\.example\.org, .*made, since the one there is not for rabbit-2\.example\.org$/m,
    );
    assert.match(said, /^db\.example\.org: .*made, since the one there was about to expire$/m);
    assert.match(said, /^new: .*made, since there was none$/m);
    assert.equal(text('ca.crt'), ca.certificate);
    const days = (certificate('db.example.org.crt').validToDate.getTime() - Date.now()) / DAY_MS;
    assert.ok(days > 824 && days <= 825, `${days}`);
    assert.ok(certificate('rabbit.example.org.crt').checkHost('rabbit-2.example.org'));
  });

  test('a certificate torn by a crash, or left with another key, is made again', async () => {
    writeFileSync(at('new.crt'), text('new.crt').slice(0, 200));
    writeFileSync(at('db.example.org.key'), text('rabbit.example.org.key'));
    const { code, out: said } = await certs('--name', 'new', '--name', 'db.example.org');
    assert.equal(code, 0);
    assert.match(said, /^db\.example\.org: .*has another key$/m);
    assert.ok(certificate('new.crt').checkHost('new'));
  });

  test('no certificate outlives its CA, and a CA that ends soon is told', async () => {
    const brief = join(folder.path, 'brief');
    const made = await run(['certs', '--out', brief, '--name', 'a', '--ca-days', '20']);
    assert.equal(made.code, 0);
    assert.match(made.err, /^mega: warning: the CA expires in 19 days, on \d{4}-\d\d-\d\d, .*another/);
    const [a, ca] = ['a.crt', 'ca.crt'].map((one) => new X509Certificate(readFileSync(join(brief, one))));
    assert.equal(a!.validTo, ca!.validTo);
  });

  test('with a passphrase the key of the CA is encrypted, and useless without it', async () => {
    const sealed = join(folder.path, 'sealed');
    const passphrase = join(folder.path, 'passphrase');
    writeFileSync(passphrase, 'correct horse\n');
    const args = ['certs', '--out', sealed, '--name', 'a', '--passphrase-file', passphrase];
    assert.equal((await run(args)).code, 0);
    assert.match(readFileSync(join(sealed, 'ca.key'), 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    rmSync(join(sealed, 'a.crt'));
    const without = await run(args.slice(0, -2));
    assert.deepEqual([without.code, without.out], [2, '']);
    assert.match(without.err, /needs its passphrase: --passphrase-file/);
    writeFileSync(passphrase, 'wrong horse\n');
    const wrong = await run(args);
    assert.match(wrong.err, /does not open with this passphrase/);
    assert.doesNotMatch(wrong.err, /horse/);
    assert.ok(!existsSync(join(sealed, 'a.crt')));
    writeFileSync(passphrase, 'correct horse\n');
    assert.equal((await run(args)).code, 0);
  });

  test('refuses what it cannot make, in one line, and writes nothing', async () => {
    const none = join(folder.path, 'none');
    for (const [args, said] of [
      [['--name', 'no_name'], /"no_name" is neither a DNS name nor an IP address/],
      [['--name', '../../etc/x'], /neither a DNS name/],
      [['--name', 'ca'], /the name ca is what the CA's files are called/],
      [['--name', 'a,b', '--name', 'a'], /the name a comes first twice/],
      [['--name', 'a', '--days', '0'], /--days/],
      [['--name', 'a', '--passphrase-file', join(folder.path, 'nowhere')], /cannot be read \(ENOENT\)/],
    ] as const) {
      const { code, err } = await run(['certs', '--out', none, ...args]);
      assert.equal(code, 2, err);
      assert.match(err, said);
      assert.match(err, /^mega: .*\n$/);
    }
    assert.ok(!existsSync(none));
  });

  test('a CA of which half is gone is never replaced', async () => {
    const half = join(folder.path, 'half');
    assert.equal((await run(['certs', '--out', half, '--name', 'a'])).code, 0);
    rmSync(join(half, 'ca.key'));
    const { code, err } = await run(['certs', '--out', half, '--name', 'a']);
    assert.equal(code, 2);
    assert.match(err, /ca\.key is missing.*restore it/);
  });
});

test('a certificate is told 30 days ahead, and when it has ended', () => {
  const ends = new Date(Date.UTC(2027, 0, 31, 12));
  const at = (days: number) => expiryWarning('the certificate', ends, 'do', ends.getTime() - days * DAY_MS);
  assert.equal(at(30.1), undefined);
  assert.match(at(29.5) ?? '', /^the certificate expires in 29 days, on 2027-01-31, .*: do$/);
  assert.match(at(-1) ?? '', /^the certificate has expired on 2027-01-31/);
});
