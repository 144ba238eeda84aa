import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import amqp from 'amqplib';
import { createConnection } from 'mysql2/promise';
import { freePorts, type PortPicker } from '../dev/servers/ports.ts';
import { type MariaDb, type RabbitMq, startMariaDb, startRabbitMq } from '../dev/servers.ts';
import { withoutOwnServers } from './support/own.ts';

/** Folders may hold spaces and letters of any language. */
let scratch: string;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'mega servers é '));
});

after(() => rm(scratch, { recursive: true, force: true }));

describe('private servers', { timeout: 120_000, skip: withoutOwnServers() }, () => {
  test('an owner that is killed takes its servers along, and the next start clears its folders', async () => {
    const folder = join(scratch, 'killed');
    const owner = await startOwner(folder);
    await once(createInterface(owner.stdout!), 'line');
    await killOwner(owner, folder);
    await using _next = await startMariaDb({ folder });
    assert.equal(readdirSync(folder).length, 1);
  });

  test('an owner that is killed while its servers start takes them along as well', async () => {
    const folder = join(scratch, 'starting');
    const owner = await startOwner(folder);
    await until(() => processesOf(folder).some((pid) => commandLine(pid).includes('/beam.smp')));
    await killOwner(owner, folder);
  });

  describe('two sets at the same time', () => {
    let sets: { folder: string; rabbitmq: RabbitMq; mariadb: MariaDb }[];

    before(async () => {
      sets = await Promise.all(['one', 'two'].map(startSet));
    });

    after(() => Promise.all(sets.map(disposeSet)));

    test('each answers on ports of its own', async () => {
      const ports = sets.flatMap(({ rabbitmq, mariadb }) => [
        rabbitmq.amqpPort,
        Number(new URL(mariadb.url).port),
      ]);
      assert.equal(new Set(ports).size, ports.length);
      for (const { mariadb } of sets) assert.equal(await rowCount(mariadb), 0);
    });

    test('a broker that is stopped starts again on its ports with its durable messages', async () => {
      const { rabbitmq } = sets[0]!;
      await publishDurably(rabbitmq, 'kept');
      await rabbitmq.stop();
      await assert.rejects(amqp.connect(amqpUrl(rabbitmq)));
      await rabbitmq.start();
      assert.equal(await takeMessage(rabbitmq), 'kept');
    });

    test('a paused broker answers nothing until it is resumed', async () => {
      const { rabbitmq } = sets[1]!;
      rabbitmq.pause();
      await assert.rejects(fetch(overviewOf(rabbitmq), { signal: AbortSignal.timeout(500) }), {
        name: 'TimeoutError',
      });
      rabbitmq.resume();
      assert.equal((await fetch(overviewOf(rabbitmq))).status, 401);
    });

    test('a database that is killed starts again with what was committed', async () => {
      const { mariadb } = sets[1]!;
      await insertRow(mariadb);
      await mariadb.kill();
      await assert.rejects(rowCount(mariadb));
      await mariadb.start();
      assert.equal(await rowCount(mariadb), 1);
    });

    test('a port that another program took is given up for another one', async () => {
      await using held = await holdPort();
      const options = { folder: join(scratch, 'taken'), pickPorts: pickerThatFirstNames(held.port) };
      await using mariadb = await startMariaDb(options);
      assert.notEqual(Number(new URL(mariadb.url).port), held.port);
    });

    test('after dispose neither a process nor a folder is left', async () => {
      await Promise.all(sets.map(disposeSet));
      for (const { folder } of sets) {
        assert.deepEqual(processesOf(folder), []);
        assert.deepEqual(readdirSync(folder), []);
      }
    });
  });
});

async function startSet(name: string) {
  const folder = join(scratch, name);
  const [rabbitmq, mariadb] = await Promise.all([startRabbitMq({ folder }), startMariaDb({ folder })]);
  return { folder, rabbitmq, mariadb };
}

async function disposeSet({ rabbitmq, mariadb }: { rabbitmq: RabbitMq; mariadb: MariaDb }): Promise<void> {
  await Promise.all([rabbitmq[Symbol.asyncDispose](), mariadb[Symbol.asyncDispose]()]);
}

/** A program of its own that starts servers in `folder`, prints a line when they are ready, and stays. */
async function startOwner(folder: string): Promise<ChildProcess> {
  await mkdir(folder);
  const { MEGA_TEST_RABBITMQ: _rabbitmq, MEGA_TEST_MYSQL: _mysql, ...environment } = process.env;
  const module = JSON.stringify(new URL('../dev/servers.ts', import.meta.url).href);
  const program = `import { startServers } from ${module};
    await startServers({ folder: process.env.OWNED_FOLDER });
    console.log('ready');`;
  return spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...environment, OWNED_FOLDER: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function killOwner(owner: ChildProcess, folder: string): Promise<void> {
  assert.ok(processesOf(folder).some((pid) => pid !== owner.pid));
  owner.kill('SIGKILL');
  await until(() => processesOf(folder).length === 0);
}

/** Those that name the folder in their command line or environment; a dead one that nobody reaped names nothing. */
function processesOf(folder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => (commandLine(pid) + readProc(pid, 'environ')).includes(folder));
}

function commandLine(pid: number): string {
  return readProc(pid, 'cmdline');
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'not so within 30 s');
    await sleep(20);
  }
}

async function holdPort(): Promise<{ port: number } & AsyncDisposable> {
  const server: Server = createServer().listen((await freePorts(1))[0], '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function pickerThatFirstNames(port: number): PortPicker {
  let asked = false;
  return async (count) => {
    if (asked) return await freePorts(count);
    asked = true;
    return [port];
  };
}

function amqpUrl({ managementUrl, amqpPort }: RabbitMq): string {
  const { username, password, hostname } = new URL(managementUrl);
  return `amqp://${username}:${password}@${hostname}:${amqpPort}`;
}

function overviewOf({ managementUrl }: RabbitMq): string {
  return new URL('/api/overview', managementUrl.replace(/\/\/.*@/, '//')).href;
}

const queue = 'servers-test';

async function publishDurably(rabbitmq: RabbitMq, text: string): Promise<void> {
  const connection = await amqp.connect(amqpUrl(rabbitmq));
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  channel.sendToQueue(queue, Buffer.from(text), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

async function takeMessage(rabbitmq: RabbitMq): Promise<string | undefined> {
  const connection = await amqp.connect(amqpUrl(rabbitmq));
  const channel = await connection.createChannel();
  const message = await channel.get(queue, { noAck: true });
  await connection.close();
  return message === false ? undefined : message.content.toString();
}

async function query(mariadb: MariaDb, ...statements: string[]): Promise<unknown> {
  const connection = await createConnection(mariadb.url);
  try {
    let rows: unknown;
    for (const statement of statements) [rows] = await connection.query(statement);
    return rows;
  } finally {
    await connection.end();
  }
}

const createTable = 'CREATE TABLE IF NOT EXISTS mega_probe.kept (id INT) ENGINE = InnoDB';

async function rowCount(mariadb: MariaDb): Promise<number> {
  const count = 'SELECT COUNT(*) AS rows_kept FROM mega_probe.kept';
  const rows = await query(mariadb, 'CREATE DATABASE IF NOT EXISTS mega_probe', createTable, count);
  return Number((rows as { rows_kept: number }[])[0]?.rows_kept);
}

async function insertRow(mariadb: MariaDb): Promise<void> {
  await query(mariadb, 'INSERT INTO mega_probe.kept VALUES (1)');
}
