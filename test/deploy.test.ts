import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePorts } from '../dev/servers/ports.ts';
import { type RabbitMq, startRabbitMq } from '../dev/servers.ts';
import { until } from '../dev/world/until.ts';
import { fillFolder } from '../src/cli/certs/folder.ts';
import { Broker } from '../src/lib/broker.ts';
import { describe } from '../src/lib/errors.ts';
import { Management } from '../src/lib/management.ts';
import { readCa } from '../src/lib/secure.ts';
import { hostQueue, STREAM_PATTERN, streamQueue } from '../src/lib/topology.ts';
import { uuidv7 } from '../src/lib/utils.ts';

/** The settings that are recommended for a fleet: the broker must take them, and show what people look for. */
const root = join(import.meta.dirname, '..');
const folder = join(root, '.mega/test');
const config = join(root, 'deploy/rabbitmq.conf');
let rabbitmq: RabbitMq;

before(async () => {
  rabbitmq = await startRabbitMq({ folder, config });
});
after(() => rabbitmq[Symbol.asyncDispose]());

// A broker refuses to start with a key that it does not know.
test('a broker starts with deploy/rabbitmq.conf, and its page shows how many messages a queue holds', async () => {
  const { username, password } = new URL(rabbitmq.managementUrl);
  const url = `amqp://${username}:${password}@127.0.0.1:${rabbitmq.amqpPort}`;
  await using broker = await Broker.start({ url, name: 'test' });
  await broker.ready(10_000);
  const queue = hostQueue('db-01');
  await broker.withChannel((channel) => channel.assertQueue(queue, { durable: true }));
  for (let i = 0; i < 3; i++) {
    const message = { exchange: '', key: queue, type: 'order', messageId: uuidv7(), body: Buffer.from('{}') };
    assert.equal(await broker.publish({ ...message, mandatory: true }), 'confirmed');
  }
  // What the page asks when one looks at its list of queues.
  const path = 'queues/%2F?page=1&page_size=100&name=&use_regex=false&pagination=true';
  const shown = await until('the page to show three messages', async () => {
    const { items } = await ask<{ items: { name: string; messages?: number }[] }>(path);
    return items.find((one) => one.name === queue && one.messages === 3);
  });
  assert.equal(shown.messages, 3);
});

// As a person would: takes away the hash signs of the section, and names own files and ports.
test('with the TLS section of deploy/rabbitmq.conf a broker speaks TLS', async () => {
  const tls = /^# --- TLS -+$([\s\S]*?)^# --- /m.exec(readFileSync(config, 'utf8'))?.[1] ?? '';
  const settings = [...tls.matchAll(/^# (\S+ = .*)$/gm)].map(([, line]) => line!);
  assert.ok(settings.length >= 10, `${settings.length} settings`);
  const files = mkdtempSync(join(tmpdir(), 'mega deploy '));
  after(() => rmSync(files, { recursive: true }));
  const { ca, servers } = await fillFolder({ out: files, servers: [['127.0.0.1']], days: 2, caDays: 3 });
  const ports = await freePorts(4);
  const own = settings.map((line) =>
    line
      .replace(/\S+ca\.crt$/, ca.certificate)
      .replace(/\S+server\.crt$/, servers[0]!.certificate)
      .replace(/\S+server\.key$/, servers[0]!.key)
      .replace(/\d{4,5}$/, () => String(ports.pop())),
  );
  const withTls = join(files, 'rabbitmq.conf');
  writeFileSync(withTls, [readFileSync(config, 'utf8'), ...own, ''].join('\n'));
  await using secure = await startRabbitMq({ folder, config: withTls });
  const port = Number(/^listeners\.ssl\.default = (\d+)$/m.exec(own.join('\n'))?.[1]);
  const { username, password } = new URL(secure.managementUrl);
  const url = `amqps://${username}:${password}@127.0.0.1:${port}`;
  await using broker = await Broker.start({ url, name: 'test', ca: readCa(secure.tls!.ca) });
  await broker.ready(10_000);
});

test('with deploy/rabbitmq.conf the dispatcher still finds the packages that lie in the broker', async () => {
  const management = new Management(rabbitmq.managementUrl, '/');
  const sha256 = 'a'.repeat(64);
  await ask(`queues/%2F/${streamQueue(sha256)}`, 'PUT', { durable: true });
  assert.deepEqual(await management.queueNames(STREAM_PATTERN), [streamQueue(sha256)]);
});

test('with deploy/rabbitmq.conf a message of the greatest size passes, and a larger one is refused', async () => {
  const text = readFileSync(config, 'utf8');
  const largest = Number(/^max_message_size = (\d+)$/m.exec(text)?.[1]);
  const { username, password } = new URL(rabbitmq.managementUrl);
  const url = `amqp://${username}:${password}@127.0.0.1:${rabbitmq.amqpPort}`;
  await using broker = await Broker.start({ url, name: 'test' });
  await broker.ready(10_000);
  const message = { exchange: 'amq.fanout', key: '', type: 'order', messageId: uuidv7() };
  assert.equal(await broker.publish({ ...message, body: Buffer.alloc(largest) }), 'confirmed');
  const tooLarge = broker.publish({ ...message, body: Buffer.alloc(largest + 1) });
  await assert.rejects(tooLarge, (error: Error) => /larger than configured/.test(describe(error)));
});

async function ask<T = unknown>(path: string, method = 'GET', body?: object): Promise<T> {
  const { host, username, password } = new URL(rabbitmq.managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const response = await fetch(`http://${host}/api/${path}`, {
    ...{ method, headers: { authorization, 'content-type': 'application/json' } },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

const without = spawnSync('systemd-analyze', ['--version']).error && 'systemd-analyze is not installed';
test('systemd knows every setting of deploy/mega_dispatcher.service', { skip: without }, () => {
  const files = mkdtempSync(join(tmpdir(), 'mega unit '));
  after(() => rmSync(files, { recursive: true }));
  const unit = join(files, 'mega_dispatcher.service');
  const text = readFileSync(join(root, 'deploy/mega_dispatcher.service'), 'utf8');
  const verify = (changed: string) => {
    writeFileSync(unit, changed.replace('/opt/mega/bin/mega', '/bin/true').replace('User=mega', 'User=root'));
    return spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' }).stderr;
  };
  assert.doesNotMatch(verify(text), /mega_dispatcher/);
  assert.match(
    verify(text.replace('NoNewPrivileges', 'NoPrivilegesAnew')),
    /Unknown key.* 'NoPrivilegesAnew'/,
  );
});
