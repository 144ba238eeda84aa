import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeAuthority, makeServerPair, openAuthority, type Pair } from '../src/cli/certs/authority.ts';
import { Broker } from '../src/lib/broker.ts';
import { loadAgentConfig, loadClientConfig, loadDispatcherConfig } from '../src/lib/config.ts';
import { conn } from '../src/lib/conn.ts';
import { homeAt } from '../src/lib/home.ts';
import { Management } from '../src/lib/management.ts';
import { isLoopback, isOpen, readCa } from '../src/lib/secure.ts';
import { keyToBase64, newKey } from '../src/lib/trust/keys.ts';
import { get_all_ip_address } from '../src/lib/utils.ts';
import { mega, run, Site, scratch, until } from './support/cli.ts';
import { atAddress, type Between } from './support/tls.ts';

const folder = scratch();
after(() => folder[Symbol.dispose]());

/** A configuration in a file of its own; its path. */
function written(name: string, config: object, under = ''): string {
  mkdirSync(join(folder.path, under), { recursive: true });
  const path = join(folder.path, under, name);
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const REMOTE = 'amqp://op_a:hush-hush@rabbit.example.org:5672/mega';

describe('plain connections', () => {
  test('are free to loopback alone, and a name is no loopback because it looks like one', () => {
    for (const host of ['127.0.0.1', '127.8.9.10', '[::1]', '[::ffff:127.0.0.1]', 'localhost', 'LOCALHOST'])
      assert.ok(isLoopback(host), host);
    for (const host of [
      '10.0.0.1',
      '[fe80::1]',
      '0.0.0.0',
      '127.0.0.1.example.org',
      'localhost.example.org',
      '',
    ])
      assert.ok(!isLoopback(host), host);
  });

  test('are told from encrypted ones by scheme, and for a database by what its URL says', () => {
    for (const url of [REMOTE, 'http://h:15672', 'mysql://h/x?tls=off', 'smtp://h?tls=off'])
      assert.ok(isOpen(url), url);
    for (const url of [
      'amqps://h',
      'https://h',
      'mysql://h/x',
      'smtp://h',
      'amqp://localhost',
      'mysql://127.0.0.1/x?tls=off',
    ])
      assert.ok(!isOpen(url), url);
  });

  test('to another machine are refused by every configuration, with the remedy and without the password', () => {
    const key = keyToBase64(newKey());
    const local = {
      ...{ broker: 'amqp://a:hush-hush@localhost/', database: 'mysql://a:hush-hush@localhost/mega' },
      keys: { online: key, orders: key },
    };
    const management = 'http://a:hush-hush@localhost:15672';
    const refused = (load: () => unknown, what: RegExp) =>
      assert.throws(load, (error: Error & { code: string }) => {
        assert.equal(error.code, 'bad_config');
        assert.match(error.message, what);
        assert.match(error.message, /without TLS.*"allowPlain": true/);
        return !error.message.includes('hush-hush');
      });
    const client = written('client.json', { broker: REMOTE });
    refused(() => loadClientConfig(client), /amqp:\/\/rabbit\.example\.org:5672.*use amqps:\/\//);
    for (const [name, url] of Object.entries({
      broker: REMOTE,
      management: 'http://a:hush-hush@rabbit.example.org:15672',
      database: 'mysql://a:hush-hush@db.example.org/mega?tls=off',
    })) {
      const path = written('dispatcher.json', { ...local, management, [name]: url });
      refused(() => loadDispatcherConfig(path), new RegExp(new URL(url).hostname));
    }
    written('identity.json', { host: 'db-01', secret: 'x'.repeat(20) }, 'home/state');
    written('agent.json', { broker: 'amqp://rabbit.example.org/mega' }, 'home/etc');
    refused(() => loadAgentConfig(homeAt(join(folder.path, 'home'))), /agent\.json/);
  });

  test('to another machine are refused by whatever connects, even without a configuration', async () => {
    await assert.rejects(Broker.start({ url: REMOTE, name: 'test' }), { code: 'plain_refused' });
    assert.throws(() => new Management('http://h:15672', '/'), { code: 'plain_refused' });
  });

  test('are allowed by allowPlain', () => {
    const path = written('allowed.json', { broker: REMOTE, allowPlain: true });
    assert.equal(loadClientConfig(path).broker, REMOTE);
  });
});

describe("a CA's certificate", () => {
  let ca: Pair;
  let server: Pair;
  const file = (name: string, text: string) => {
    const path = join(folder.path, name);
    writeFileSync(path, text);
    return path;
  };
  before(async () => {
    ca = await makeAuthority(9);
    server = await makeServerPair(openAuthority(ca), ['a'], 8);
  });

  test('is found beside the configuration that names it', () => {
    mkdirSync(join(folder.path, 'sub'), { recursive: true });
    file('sub/own.crt', `Some words before\n${ca.certificate}`);
    const broker = 'amqps://rabbit.example.org/mega';
    const path = written('with-ca.json', { broker, ca: 'sub/own.crt' });
    assert.equal(loadClientConfig(path).ca, ca.certificate);
  });

  test('may be several, for the time in which one follows another', async () => {
    const both = ca.certificate + (await makeAuthority(9)).certificate;
    assert.equal(readCa(file('both.crt', both)), both);
  });

  test('that cannot serve is refused when it is read, with what is wrong', () => {
    for (const [text, said] of [
      [undefined, /there is no such file/],
      ['', /holds no certificate/],
      ['hello', /holds no certificate/],
      [ca.key, /holds a private key/],
      [ca.certificate + ca.key, /holds a private key/],
      [server.certificate, /holds the certificate of CN=a, which is no CA/],
      [ca.certificate.replace(/\n[^\n]+(?=\n-----END)/, ''), /cannot be read: was the file cut off/],
    ] as const) {
      const path = text === undefined ? join(folder.path, 'nowhere.crt') : file('wrong.crt', text);
      assert.throws(
        () => readCa(path),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'bad_ca');
          assert.match(error.message, said);
          return error.message.includes(path);
        },
      );
    }
  });
});

/** On the shared servers, which are reached by this machine's own address through something that passes it all on. */
const [address] = get_all_ip_address();
const noAddress = address === undefined && 'this machine has no address but loopback';

describe('on a broker at another address', { skip: noAddress }, () => {
  const site = new Site();
  const opened = new AsyncDisposableStack();
  let management: Between;

  before(async () => {
    opened.use(site);
    const { port } = new URL(site.managementUrl);
    management = opened.use(await atAddress(address!, Number(port)));
    const url = new URL(site.managementUrl);
    url.host = address!.includes(':') ? `[${address}]` : address!;
    url.port = String(management.port);
    writeFileSync(site.at('management.url'), url.href);
    writeFileSync(site.at('database.url'), site.databaseUrl);
    writeFileSync(site.at('passphrase'), 'of this test alone');
  });
  after(() => opened.disposeAsync());

  const setup = (...more: string[]) => {
    const urls = [
      '--management-url-file',
      site.at('management.url'),
      '--database-url-file',
      site.at('database.url'),
    ];
    const names = ['--vhost', site.vhost, '--operator', site.mark, '--dispatcher-user', `mega_${site.mark}`];
    const keys = ['--passphrase-file', site.at('passphrase')];
    return run(['setup', ...urls, ...names, ...keys, '--out', site.at('etc'), ...more]);
  };

  test('mega setup refuses to go on without TLS, says what to do, and has sent and written nothing', async () => {
    const { code, out, err } = await setup();
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, /^mega: amqp:.* without TLS.*with --ca FILE .*with --allow-plain .*\n$/);
    assert.equal(management.heard(), 0);
    assert.ok(!existsSync(site.at('etc')) || readdirSync(site.at('etc')).length === 0);
  });

  test('with --allow-plain all works, and command line and dispatcher warn at every start', async () => {
    const told = await new Management(site.managementUrl, '/').amqpPort();
    await using broker = await atAddress(address!, told!);
    const made = await setup('--allow-plain', '--port', String(broker.port));
    assert.equal(made.code, 0, made.err);
    for (const name of ['dispatcher', 'operator'])
      assert.equal(JSON.parse(site.read('etc', `${name}.json`)).allowPlain, true);
    const dispatcher = site.starts([mega, 'dispatcher', '--config', site.at('etc', 'dispatcher.json')]);
    await until('the dispatcher is ready', () => dispatcher.text().err.includes('the dispatcher is ready'));
    const warned = [
      ...dispatcher.text().err.matchAll(/"level":"warn".*"msg":"(\w+):.*is spoken to without TLS/g),
    ];
    assert.deepEqual(
      warned.map(([, scheme]) => scheme),
      ['amqp', 'http'],
    );
    const hosts = await site.operator('host', 'list');
    assert.equal(hosts.code, 0, hosts.err);
    assert.match(hosts.err, /^mega: warning: amqp:\/\/.* is spoken to without TLS, .*\n$/);
    assert.doesNotMatch(
      hosts.err,
      new RegExp(new URL(JSON.parse(site.read('etc', 'operator.json')).broker).password),
    );
  });

  test('with --ca the configurations are for TLS, and the CA lies beside them', async () => {
    const ca = await makeAuthority(9);
    writeFileSync(site.at('own.crt'), ca.certificate);
    writeFileSync(site.at('management.url'), site.managementUrl);
    const made = await setup('--ca', site.at('own.crt'), '--tls-port', '5671');
    assert.equal(made.code, 0, made.err);
    for (const name of ['dispatcher', 'operator']) {
      const { broker, ca: file, allowPlain } = JSON.parse(site.read('etc', `${name}.json`));
      assert.match(broker, /^amqps:.*:5671\//);
      assert.deepEqual([file, allowPlain], ['ca.crt', undefined]);
    }
    assert.equal(readFileSync(site.at('etc', 'ca.crt'), 'utf8'), ca.certificate);
    const both = await setup('--ca', site.at('own.crt'), '--port', '5672');
    assert.equal(both.code, 2);
    assert.match(both.err, /--tls-port/);
  });

  test('a database is spoken to with TLS unless its URL says otherwise', async () => {
    const { port, username, password } = new URL(process.env.MEGA_TEST_MYSQL!);
    await using database = await atAddress(address!, Number(port));
    const host = address!.includes(':') ? `[${address}]` : address;
    const at = (tail: string) => `mysql://${username}:${password}@${host}:${database.port}/${tail}`;
    await using secure = conn(at(''), { connections: 1 });
    await assert.rejects(secure.one('SELECT 1'), { message: /speaks no TLS there|a CA that we trust/ });
    await using plain = conn(at('?tls=off'), { connections: 1 });
    assert.deepEqual(await plain.one('SELECT 1 AS one'), { one: 1 });
  });
});
