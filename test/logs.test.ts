import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { AgentProcess } from '../dev/world/agent.ts';
import { heldMessages } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import { ownLine } from '../src/agent/own-line.ts';
import { Shipper } from '../src/agent/shipper.ts';
import { Spool } from '../src/agent/spool.ts';
import { removeLogs } from '../src/dispatcher/store/logs.ts';
import { Broker } from '../src/lib/broker.ts';
import { loadAgentConfig } from '../src/lib/config.ts';
import { type LogLine, MAX_LINE } from '../src/lib/log-lines.ts';
import { encode } from '../src/lib/messages.ts';
import { EXCHANGE, QUEUE, upKey } from '../src/lib/topology.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { mega } from './support/cli.ts';
import { useWorld } from './support/world.ts';

type Line = { id: number; host: string; at: string; level: string; text: string; task: string | null };

const folder = mkdtempSync(join(tmpdir(), 'mega logs '));
after(() => rmSync(folder, { recursive: true }));

const line = (text: string, more: Partial<LogLine> = {}): LogLine => ({
  ...{ at: Date.now(), level: 'info', text },
  ...more,
});

describe('the spool of a host', () => {
  const batch = (text: string) => Buffer.from(text.padEnd(1_000));

  test('keeps what waits in the order of writing, also for the process that comes next', () => {
    const at = join(folder, 'order');
    const first = new Spool(at, 10_000);
    for (const text of ['one', 'two', 'three']) first.put(uuidv7(), 1, batch(text));
    const next = new Spool(at, 10_000);
    for (const text of ['one', 'two', 'three']) {
      const waiting = next.first();
      assert.equal(waiting?.body.toString().trim(), text);
      next.taken(waiting!.name);
    }
    assert.equal(next.first(), undefined);
    assert.deepEqual(readdirSync(at), []);
  });

  test('never takes more than it may: the oldest go, and their lines are counted', () => {
    const at = join(folder, 'bound');
    const spool = new Spool(at, 3_500);
    for (let i = 1; i <= 5; i++) spool.put(uuidv7(), i, batch(`${i}`));
    assert.equal(readdirSync(at).filter((name) => name.endsWith('.json')).length, 3);
    assert.equal(spool.first()?.body.toString().trim(), '3');
    assert.equal(new Spool(at, 3_500).dropped, 1 + 2);
  });

  test('that cannot write costs the lines, which are counted, and throws nothing', () => {
    writeFileSync(join(folder, 'file'), '');
    const spool = new Spool(join(folder, 'file'), 1_000);
    spool.put(uuidv7(), 7, batch('lost'));
    assert.equal(spool.dropped, 7);
    assert.equal(spool.first(), undefined);
  });
});

test("a line of the agent's own log reads as a person would say it", () => {
  const task = uuidv7();
  const json = JSON.stringify({
    level: 'warn',
    time: '2026-01-31T12:00:00.000Z',
    host: 'a',
    task,
    msg: 'it broke',
    n: 3,
  });
  const told = { at: Date.UTC(2026, 0, 31, 12), level: 'warn', text: 'it broke {"n":3}', task };
  assert.deepEqual(ownLine(json), told);
  assert.equal(ownLine('no JSON'), undefined);
});

describe('log lines of a host', () => {
  after(() => broker?.close()); // before the world goes
  const world = useWorld();
  let agent: AgentProcess;
  let broker: Broker;
  let host: string;
  const logs = (filter: object = {}) => world().call<Line[]>('get_logs', filter);
  const texts = async (filter: object) => (await logs(filter)).map((one) => one.text);

  /** This process speaks as the host, whose agent does not run. */
  const shipper = (name: string, maxBytes = 1 << 20) =>
    new Shipper({ folder: join(folder, name), maxBytes, host, level: 'info' });
  const connected = async (own: Shipper) => own.connect(broker, () => 0);

  before(async () => {
    host = `${world().name}-a`;
    agent = await world().addHost(host, '1.0.0');
    await agent.start();
    await world().untilOnline([host]);
    await until('its first words to be kept', async () => {
      return (await texts({ on: [host] })).some((text) => text.startsWith('the agent runs'));
    });
    await agent.stop();
    const { broker: url } = loadAgentConfig(agent.home);
    broker = await Broker.start({ url, name: 'test', reconnectMs: 100 });
    await broker.ready(10_000);
  });

  test('are found by host, task, level, time and text', async () => {
    await using own = shipper('found');
    await connected(own);
    const task = uuidv7();
    const old = Date.now() - 7_200_000;
    own.take(line('Backup_of 100% began', { task, script: 'backup.sh' }));
    own.take(line('the disk is full', { level: 'error', task }));
    own.take(line('long ago', { at: old }));
    const find = (filter: object) => texts({ on: [host], grep: undefined, ...filter });
    await until('them to be kept', async () => (await find({ task })).length === 2);
    assert.deepEqual(await find({ task }), ['Backup_of 100% began', 'the disk is full']);
    assert.deepEqual(await find({ level: 'error' }), ['the disk is full']);
    assert.deepEqual(await find({ grep: 'backup_OF 100%' }), ['Backup_of 100% began']);
    assert.deepEqual(await find({ grep: 'BackupXof' }), []);
    const to = new Date(old + 60_000).toISOString();
    assert.deepEqual(await find({ until: to }), ['long ago']);
    assert.ok(!(await find({ since: to })).includes('long ago'));
    assert.deepEqual((await world().call<Line[]>('task_log', { task })).map((one) => one.text).length, 2);
    await assert.rejects(logs({ on: ['nobody'] }), { code: 'unknown_host' });
  });

  test('that the broker did not take wait on disk, and come later, whole and in order', async () => {
    const task = uuidv7();
    const words = Array.from({ length: 1_000 }, (_, i) => `line ${i}`);
    {
      await using before = shipper('waits');
      for (const text of words) before.take(line(text, { task }));
    }
    assert.ok(readdirSync(join(folder, 'waits')).length > 4, 'nothing waits on disk');
    await using own = shipper('waits');
    await connected(own);
    own.take(line('and the last', { task }));
    await until('all to be kept', async () => (await texts({ task, limit: 2_000 })).length === 1_001);
    const found = await logs({ task, limit: 2_000 });
    assert.deepEqual(
      found.toSorted((a, b) => a.id - b.id).map((one) => one.text),
      [...words, 'and the last'],
    );
    assert.deepEqual(readdirSync(join(folder, 'waits')), []);
  });

  test('for which there was no room are counted, and told of in their place', async () => {
    const task = uuidv7();
    {
      await using before = shipper('little', 60_000);
      for (let i = 0; i < 2_000; i++) before.take(line(`number ${i}`.padEnd(100), { task }));
    }
    await using own = shipper('little', 60_000);
    await connected(own);
    own.take(line('after', { task }));
    await until('the last to be kept', async () => (await texts({ task })).includes('after'));
    const words = / log lines are missing here: the host had no room for them$/;
    const told = await logs({ on: [host], grep: 'log lines are missing here', level: 'warn' });
    const missing = told.map(({ text }) => Number(text.replace(words, '')));
    const kept = (await texts({ task, limit: 2_000 })).length - 1;
    assert.ok(kept < 1_000);
    assert.equal(
      missing.reduce((sum, lines) => sum + lines, kept),
      2_000,
    );
  });

  test('are kept once, however often they come, and cut where they are endless', async () => {
    const task = uuidv7();
    const lines = [line('x'.repeat(10 * MAX_LINE), { task })];
    const body = encode({ kind: 'log', id: uuidv7(), host, lines });
    const message = {
      exchange: EXCHANGE.up,
      key: upKey('log', host),
      type: 'log',
      messageId: uuidv7(),
      body,
    };
    for (let i = 0; i < 3; i++) await broker.publish(message);
    const next = encode({ kind: 'log', id: uuidv7(), host, lines: [line('next', { task })] });
    await broker.publish({ ...message, body: next });
    await until('the next one to be kept', async () => (await texts({ task })).includes('next'));
    const [first, ...others] = await texts({ task });
    assert.equal(first!.length, MAX_LINE);
    assert.match(first!, /… \(40000 characters\)$/);
    assert.deepEqual(others, ['next']);
  });

  test("in another's name, or that cannot be read, are put aside with the reason", async () => {
    const parked = async () =>
      (await heldMessages(world())).find(({ queue }) => queue === QUEUE.dead)?.messages ?? 0;
    const earlier = await parked();
    const key = upKey('log', host);
    const message = { exchange: EXCHANGE.up, key, type: 'log', messageId: uuidv7() };
    const foreign = encode({ kind: 'log', id: uuidv7(), host: 'another', lines: [line('I am another')] });
    await broker.publish({ ...message, body: foreign });
    await broker.publish({ ...message, body: Buffer.from('{') });
    await until('both to be put aside', async () => (await parked()) === earlier + 2);
    assert.deepEqual(await texts({ grep: 'I am another' }), []);
  });

  test('are shown by mega logs, and followed until Ctrl-C', async () => {
    await using own = shipper('shown');
    await connected(own);
    own.take(line('\u001b[2Jclear the screen', { level: 'warn', script: 'evil.sh' }));
    await until('it to be kept', async () => (await texts({ grep: 'clear the' })).length === 1);
    const shown = await world().mega('logs', '--on', host, '--grep', 'clear the', '--since', '1h');
    assert.match(
      shown,
      new RegExp(`^\\d{4}-\\S+ \\S+ ${host} evil\\.sh warn  \ufffd\\[2Jclear the screen\n$`),
    );
    assert.equal((await world().json<Line[]>('logs', '--grep', 'clear the'))[0]?.level, 'warn');
    const env = { ...process.env, MEGA_CONFIG: world().operatorConfig };
    const following = spawn(mega, ['logs', '--grep', 'follow', '-f'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    following.stdout.on('data', (bytes) => {
      out += bytes;
    });
    own.take(line('follow 1'));
    await until('the first to be followed', () => out.includes('follow 1'));
    own.take(line('follow 2'));
    await until('the second to be followed', () => out.includes('follow 2'));
    following.kill('SIGINT');
    assert.deepEqual(await once(following, 'exit'), [130, null]);
    assert.equal(out.match(/follow 1/g)?.length, 1);
    const wrong = promisify(execFile)(mega, ['logs', '--level', 'loud'], { env });
    await assert.rejects(wrong, { code: 2, stderr: /It must be one of trace, debug/ });
  });

  test('go when they are old, a few at a time', async () => {
    const db = world().database();
    const count = async () => Number((await db.one<{ n: number }>('SELECT COUNT(*) AS n FROM logs'))?.n);
    const all = await count();
    assert.ok(all > 100);
    assert.equal(await removeLogs(db, 86_400_000, 100), false);
    assert.equal(await count(), all);
    assert.equal(await removeLogs(db, 0, 100), true);
    assert.equal(await count(), all - 100);
  });
});
