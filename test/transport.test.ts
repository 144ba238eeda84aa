import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ServerProcess } from '../dev/servers/process.ts';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import type { World } from '../dev/world/world.ts';
import { CHUNK_BYTES } from '../src/dispatcher/packages/receive.ts';
import type { Broker } from '../src/lib/broker.ts';
import { readIfThere } from '../src/lib/files.ts';
import { addCheck, rewrite } from './support/orders.ts';
import { dispatcherBroker, PackageStream, sha256Of } from './support/stream.ts';
import { Wire } from './support/wire.ts';
import { ended, type TaskView, tasksOf, told, upgrade, useWorld } from './support/world.ts';

/** Makes a package of many chunks: random text, which does not get smaller. */
const ballast = (megabytes: number) => `/* ${randomBytes(megabytes << 20).toString('base64')} */`;

async function upgraded(world: World, to: string, id: string): Promise<TaskView> {
  const task = (await ended(world, await upgrade(world, to, [id]))).get(id);
  assert.ok(task);
  return task;
}

function assertUpgraded(task: TaskView, agent: AgentProcess, to: string): void {
  assert.equal(told(task), `succeeded completed ${to}`, `${task.reason}\n${agent.log()}`);
  assert.equal(agent.current, to);
  assert.deepEqual(readdirSync(agent.home.downloads), []);
}

async function joined(world: World, name: string, wire?: Wire): Promise<AgentProcess> {
  const agent = await world.addHost(`${world.name}-${name}`, '1.0.0');
  if (wire) rewrite(agent.home.config, ({ broker }) => ({ broker: wire.through(String(broker)) }));
  await agent.start();
  await world.untilOnline([agent.id]);
  return agent;
}

/** Within a window chunks may overtake each other. */
const byNumber = (a: unknown, b: unknown) => Number(a) - Number(b);
const ASKED_AGAIN = 'the stream gave nothing more';

describe('how a package travels', { concurrency: true }, () => {
  describe('through its stream', { concurrency: 3 }, () => {
    const world = useWorld();
    let broker: Broker;
    before(async () => {
      broker = await dispatcherBroker(world());
      await world().publish('1.0.0');
      await world().publish('3.0.0', ballast(5));
    });
    after(() => broker.close());
    const streamOf = async (version: string, prologue?: string) =>
      new PackageStream(world(), broker, await world().publish(version, prologue));

    test('two hosts that ask at once make it be filled once', async () => {
      const agents = [await joined(world(), 'once-a'), await joined(world(), 'once-b')] as const;
      const stream = await streamOf('1.1.0');
      const ids = agents.map((agent) => agent.id);
      const tasks = await ended(world(), await upgrade(world(), '1.1.0', ids));
      for (const agent of agents) assertUpgraded(tasks.get(agent.id)!, agent, '1.1.0');
      assert.deepEqual((await stream.read()).toSorted(byNumber), stream.indices);
    });

    test('damaged, cut, foreign, doubled and shuffled chunks do no harm', async () => {
      const agent = await joined(world(), 'shuffled');
      const stream = await streamOf('1.2.0');
      await stream.declare();
      const flipped = Buffer.from(stream.chunk(0));
      flipped.writeUInt8(flipped.readUInt8(100) ^ 1, 100);
      await stream.putRaw(flipped, { index: 0, sha256: sha256Of(stream.chunk(0)) });
      await stream.putRaw(stream.chunk(1).subarray(0, 1000), { index: 1 });
      await stream.putRaw(stream.chunk(1).subarray(0, 1000), { index: 1, sha256: sha256Of(stream.chunk(1)) });
      await stream.putRaw(Buffer.concat([stream.chunk(2), Buffer.from('x')]), { index: 2 });
      await stream.putRaw(Buffer.alloc(0), { index: 3 });
      await stream.putRaw(stream.chunk(0), { index: stream.chunks });
      for (const index of [-1, 1.5, 'x', null, 2 ** 53]) await stream.putRaw(stream.chunk(0), { index });
      await stream.putRaw(stream.chunk(0), { index: 0, sha256: 'x' });
      const backwards = stream.indices.toReversed();
      await stream.put([...backwards, ...backwards]);
      await stream.seal();
      assertUpgraded(await upgraded(world(), '1.2.0', agent.id), agent, '1.2.0');
      assert.doesNotMatch(agent.log(), new RegExp(ASKED_AGAIN));
    });

    test('what a stream lacks is asked for again, and what was there is kept', async () => {
      const agent = await joined(world(), 'lacking');
      const stream = await streamOf('1.3.0');
      await stream.declare();
      await stream.put(stream.indices.slice(2));
      await stream.putRaw(stream.chunk(0), { index: 0, sha256: sha256Of(stream.chunk(1)) });
      await stream.seal();
      assertUpgraded(await upgraded(world(), '1.3.0', agent.id), agent, '1.3.0');
      assert.match(agent.log(), /"missing":2,"msg":"the stream gave nothing more/);
    });

    test('chunks that fit their own sums but not the whole are found out before anything is staged', async () => {
      const agent = await joined(world(), 'poisoned');
      const stream = await streamOf('1.4.0');
      await stream.declare();
      await stream.putRaw(randomBytes(CHUNK_BYTES), { index: 1 });
      await stream.put(stream.indices);
      await stream.seal();
      const task = await upgraded(world(), '1.4.0', agent.id);
      assert.equal(task.state, 'failed');
      assert.match(task.reason ?? '', /what was downloaded has sha256 [0-9a-f]{64}, the order says/);
      assert.deepEqual(readdirSync(agent.home.releases), ['1.0.0']);
      assert.deepEqual(readdirSync(agent.home.downloads), []);
      await stream.delete();
      assertUpgraded(await upgraded(world(), '1.4.0', agent.id), agent, '1.4.0');
    });

    test('a stream that is deleted in mid download is made again', async () => {
      const agent = await joined(world(), 'deleted');
      const stream = await streamOf('1.5.0', ballast(1));
      await stream.declare();
      await stream.put(stream.indices.slice(0, 5));
      await stream.seal();
      const job = await upgrade(world(), '1.5.0', [agent.id]);
      const part = join(agent.home.downloads, stream.sha256);
      await until('five chunks to arrive', () => statSync(part).size >= 5 * CHUNK_BYTES);
      await stream.delete();
      assertUpgraded((await ended(world(), job)).get(agent.id)!, agent, '1.5.0');
      assert.match(agent.log(), new RegExp(ASKED_AGAIN));
      assert.deepEqual((await stream.read()).toSorted(byNumber), stream.indices);
    });

    test('an agent that is killed in mid download goes on with what it had', async () => {
      const { broker: url } = JSON.parse(readFileSync(world().operatorConfig, 'utf8')) as { broker: string };
      await using wire = await Wire.open(url);
      const agent = await joined(world(), 'killed', wire);
      const stream = new PackageStream(world(), broker, await world().build('3.0.0'));
      const held = wire.holdAfter('down', 38 * CHUNK_BYTES);
      const job = await upgrade(world(), '3.0.0', [agent.id]);
      await held;
      const record = join(agent.home.downloads, `${stream.sha256}.have`);
      const saved = await until('a record of what is there', () => readIfThere(record));
      assert.equal((JSON.parse(saved) as { have: number[] }).have.length, 32);
      wire.bytes.down = 0;
      process.kill(agent.agentPid, 'SIGKILL');
      assertUpgraded((await ended(world(), job)).get(agent.id)!, agent, '3.0.0');
      const rest = stream.bytes.length - 32 * CHUNK_BYTES;
      assert.ok(
        wire.bytes.down < rest + CHUNK_BYTES,
        `${wire.bytes.down} bytes were read again, where ${rest} were missing`,
      );
      await agent.stop();
    });
  });

  describe('from an operator', { concurrency: 1 }, () => {
    const world = useWorld();

    test('once: published again it does nothing, and a version never changes', async () => {
      const file = await world().publish('1.0.0');
      assert.match(await world().mega('package', 'publish', file), /is published already/);
      const other = await world().build('1.0.0-other', '/* other */');
      const { manifest } = await manifestOf(world(), '1.0.0');
      const taken = world().call('begin_package', {
        manifest,
        sha256: sha256Of(readFileSync(other)),
        size: 9,
      });
      await assert.rejects(taken, { code: 'version_taken', message: /release 1\.0\.0 .*choose another/ });
      const begun = { manifest: { ...manifest, version: '1.0.9' }, sha256: sha256Of(readFileSync(file)) };
      const twice = world().call('begin_package', { ...begun, size: readFileSync(file).length });
      await assert.rejects(twice, { code: 'version_taken' });
    });

    test('in pieces: an upload that was broken off goes on where it was', async () => {
      const file = await world().build('1.0.1');
      const bytes = readFileSync(file);
      const sha256 = sha256Of(bytes);
      const { manifest } = await manifestOf(world(), '1.0.0');
      const about = { manifest: { ...manifest, version: '1.0.1' }, sha256, size: bytes.length };
      await world().call('begin_package', about);
      for (const index of [0, 2]) {
        const chunk = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
        await world().call('put_chunk', { sha256, index, bytes: chunk.toString('base64') });
      }
      const early = world().call('finish_package', { sha256 });
      await assert.rejects(early, {
        code: 'incomplete',
        message: /chunk 1 of \d+ is missing: publish again/,
      });
      const { missing } = await world().call<{ missing: number[] }>('begin_package', about);
      assert.deepEqual(missing.slice(0, 2), [1, 3]);
      assert.match(await world().mega('package', 'publish', file), /is published/);
    });

    test('or is refused: bytes that are not what was announced, and sums that nobody knows', async () => {
      const { manifest } = await manifestOf(world(), '1.0.0');
      const sha256 = sha256Of(Buffer.from('announced'));
      const about = { manifest: { ...manifest, version: '1.0.2' }, sha256, size: 9 };
      await world().call('begin_package', about);
      const put = (bytes: string, index = 0) =>
        world().call('put_chunk', { sha256, index, bytes: Buffer.from(bytes).toString('base64') });
      await assert.rejects(put('too long for it'), { code: 'bad_chunk' });
      await assert.rejects(put('announced', 1), { code: 'bad_chunk' });
      await put('something');
      const wrong = world().call('finish_package', { sha256 });
      await assert.rejects(wrong, { code: 'corrupt', message: /what arrived has sha256 .*publish again/ });
      await assert.rejects(world().call('get_package', { sha256 }), { code: 'unknown_package' });
      await assert.rejects(world().call('finish_package', { sha256 }), { code: 'unknown_package' });
      await world().call('begin_package', about);
      await put('announced');
      await world().call('finish_package', { sha256 });
    });
  });

  describe('when a dispatcher', { concurrency: 1 }, () => {
    const world = useWorld({}, { dispatchers: 0 });
    const wires = new AsyncDisposableStack();
    let direct: string;
    let toBroker: Wire;
    let toDatabase: Wire;
    let dispatcher: ServerProcess;
    before(async () => {
      direct = readFileSync(world().dispatcherConfig, 'utf8');
      const { broker, database } = JSON.parse(direct) as { broker: string; database: string };
      toBroker = wires.use(await Wire.open(broker));
      toDatabase = wires.use(await Wire.open(database));
      const wired = { broker: toBroker.through(broker), database: toDatabase.through(database) };
      rewrite(world().dispatcherConfig, () => wired);
      dispatcher = await world().startDispatcher();
      writeFileSync(world().dispatcherConfig, direct);
      await world().publish('1.0.0');
    });
    after(() => wires.disposeAsync());
    const dispatcherLogs = () =>
      readdirSync(world().folder)
        .filter((name) => /^dispatcher-.*\.log$/.test(name))
        .map((name) => readFileSync(join(world().folder, name), 'utf8'))
        .join('\n');

    test('cannot reach its database, hosts ask until it can', async () => {
      const agent = await joined(world(), 'no-database');
      await world().publish('2.0.0');
      addCheck(agent, 'wait', ': >waiting; while [ ! -e go ]; do sleep 0.1; done');
      const job = await upgrade(world(), '2.0.0', [agent.id]);
      await until('the check to run', () => readIfThere(join(agent.home.root, 'waiting')) !== undefined);
      toDatabase.cut();
      writeFileSync(join(agent.home.root, 'go'), '');
      await until('a request to fail', () => /"fn":"get_package".*database/.test(dispatcherLogs()));
      toDatabase.mend();
      assertUpgraded((await ended(world(), job)).get(agent.id)!, agent, '2.0.0');
    });

    test('loses the stream while it fills it, it is filled anew', async () => {
      await using broker = await dispatcherBroker(world());
      const agent = await joined(world(), 'stream-gone');
      const stream = new PackageStream(world(), broker, await world().publish('2.1.0', ballast(2)));
      const held = toBroker.holdAfter('up', 1 << 20);
      const job = await upgrade(world(), '2.1.0', [agent.id]);
      await held;
      await stream.delete();
      toBroker.release();
      assertUpgraded((await ended(world(), job)).get(agent.id)!, agent, '2.1.0');
      assert.match(dispatcherLogs(), /the stream was deleted while it was being filled/);
      assert.deepEqual((await stream.read()).toSorted(byNumber), stream.indices);
    });

    test('is killed while it fills the stream, another one fills it', async () => {
      await using broker = await dispatcherBroker(world());
      const agent = await joined(world(), 'dispatcher-killed');
      const stream = new PackageStream(world(), broker, await world().publish('2.2.0', ballast(2)));
      const held = toBroker.holdAfter('up', 1 << 20);
      const job = await upgrade(world(), '2.2.0', [agent.id]);
      await held;
      await dispatcher.killAll();
      await world().startDispatcher();
      assert.match((await tasksOf(world(), job)).get(agent.id)?.state ?? '', /^(accepted|running)$/);
      assertUpgraded((await ended(world(), job)).get(agent.id)!, agent, '2.2.0');
      const found = await stream.read();
      const second = found.slice(-stream.chunks).toSorted(byNumber);
      assert.deepEqual(second, stream.indices, 'not sent whole by the other one');
      assert.ok(found.length > stream.chunks, 'the first had sent nothing: the test shows nothing');
    });
  });
});

async function manifestOf(world: World, version: string): Promise<{ manifest: Record<string, unknown> }> {
  const row = await world
    .database()
    .one<{ manifest: string | object }>('SELECT manifest FROM packages WHERE name = ?', [version]);
  const manifest = row!.manifest;
  return { manifest: typeof manifest === 'string' ? JSON.parse(manifest) : manifest };
}
