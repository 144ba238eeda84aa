import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type RabbitMq, startRabbitMq } from '../dev/servers.ts';
import { until } from '../dev/world/until.ts';
import { Broker } from '../src/lib/broker.ts';
import { withoutOwnServers } from './support/own.ts';

/** An alarm of the broker is set for real, by its own tool; hence a broker of this test's own. */
let rabbitmq: RabbitMq;
let broker: Broker;
const told: string[] = [];
const message = { exchange: '', key: 'nowhere', type: 'test', body: Buffer.from('{}') };

describe('a broker', { skip: withoutOwnServers() }, () => {
  before(async () => {
    rabbitmq = await startRabbitMq({ folder: '.mega/test' });
    const login = new URL(rabbitmq.managementUrl);
    const url = `amqp://${login.username}:${login.password}@127.0.0.1:${rabbitmq.amqpPort}/`;
    broker = await Broker.start({ url, name: 'blocked', reconnectMs: 200, publishTimeoutMs: 2_000 });
    broker.on('trouble', (text: string) => told.push(text));
    await broker.ready(30_000);
  });
  after(async () => {
    await broker.close();
    await rabbitmq[Symbol.asyncDispose]();
  });

  test('that takes no messages says so at once and why, and they go when it takes them again', async () => {
    assert.equal(await broker.publish({ ...message, messageId: 'm1' }), 'confirmed');
    await evaluate('rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).');
    await until('the alarm to be told', async () => {
      await broker.publish({ ...message, messageId: 'm2' }).catch(() => undefined); // only publishers are told
      return told.some((text) => /the broker takes no messages for now \(low on memory\)/.test(text));
    });
    const refused = broker.publish({ ...message, messageId: 'm3' });
    await assert.rejects(refused, {
      code: 'broker_unavailable',
      message: /the broker takes no messages for now \(low on memory\)/,
    });
    await evaluate('rabbit_alarm:clear_alarm({resource_limit, memory, node()}).');
    await until('messages to go again', async () => {
      return (await broker.publish({ ...message, messageId: 'm4' }).catch(() => 'no')) === 'confirmed';
    });
  });

  test('gives back a message that no queue takes, and the sender is told', async () => {
    assert.equal(await broker.publish({ ...message, messageId: 'm5', mandatory: true }), 'returned');
  });
});

/** Runs a line of Erlang in our broker, found by the port that it listens on. */
async function evaluate(line: string): Promise<void> {
  const env = readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map(environmentOf)
    .find((one) => one.RABBITMQ_NODENAME?.startsWith('mega') && isOurs(one));
  assert.ok(env, 'the broker has a process');
  await promisify(execFile)('/usr/lib/rabbitmq/bin/rabbitmqctl', ['eval', line], { env });
}

function isOurs({ RABBITMQ_CONFIG_FILES = '' }: NodeJS.ProcessEnv): boolean {
  return textOf(join(RABBITMQ_CONFIG_FILES, 'own.conf')).includes(`:${rabbitmq.amqpPort}`);
}

function environmentOf(pid: string): NodeJS.ProcessEnv {
  const pairs = textOf(`/proc/${pid}/environ`)
    .split('\0')
    .filter((pair) => pair.includes('='));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
