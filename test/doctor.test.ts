import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { askBroker } from '../dev/world/broker.ts';
import { compare } from '../src/dispatcher/doctor/compare.ts';
import { look as lookAt } from '../src/dispatcher/doctor/look.ts';
import type { Channel } from '../src/lib/broker.ts';
import { hashPassword, Management } from '../src/lib/management.ts';
import {
  dispatcherPermissions,
  EXCHANGE,
  hostPermissions,
  hostQueue,
  joinerPermissions,
  joinerUser,
  QUEUE,
} from '../src/lib/topology.ts';
import { countRequests, manyHosts } from './support/doctor.ts';
import { Machines } from './support/join.ts';
import { exitOf } from './support/orders.ts';
import { dispatcherBroker } from './support/stream.ts';
import { ended, told, useWorld } from './support/world.ts';

type Difference = { subject: string; problem: string; remedy: string; mended: boolean };
type Diagnosis = { hosts: number; found: number; mended: number; differences: Difference[] };

describe('mega doctor', () => {
  // Agents that have joined beat as seldom as users' do.
  const world = useWorld({ dispatcher: { offlineAfterMs: 65_000 } });
  const machines = new Machines(world);
  let agent: AgentProcess;
  before(async () => {
    agent = await machines.joined('patient');
    await agent.start();
    await world().untilOnline([agent.id]);
  });

  const look = () => world().call<Diagnosis>('doctor', {});
  const problems = async () =>
    (await look()).differences.map((one) => `${one.subject}: ${one.problem}`).toSorted();
  const healthy = async () => {
    assert.match(await world().mega('doctor'), /^broker and database agree: 2 hosts, \d tokens?\n$/);
    const { job } = await world().call<{ job: string }>('ping', { on: [agent.id] });
    assert.equal(told((await ended(world(), job)).get(agent.id)), 'succeeded  1.0.0');
  };
  const fixed = async () => {
    const found = await world().json<Diagnosis>('doctor', '--fix');
    assert.equal(found.mended, found.found, JSON.stringify(found.differences));
    await healthy();
  };
  const withBroker = async (work: (channel: Channel) => Promise<unknown>) => {
    const broker = await dispatcherBroker(world());
    await broker.withChannel(work).finally(() => broker.close());
  };

  test('finds nothing where all is well', () => healthy());

  test('makes a user that the broker has lost again, so that its host gets in as before', async () => {
    await world().management.deleteUser(agent.id);
    assert.deepEqual(await problems(), [`host ${agent.id}: no user`]);
    const looked = await exitOf(world(), 'doctor');
    assert.deepEqual(looked, { code: 1, err: '' });
    await fixed();
  });

  test('takes away what a user was given, and gives back what was taken', async () => {
    const { management } = world();
    const { access } = dispatcherPermissions();
    const rights = { topic: dispatcherPermissions().topic, access };
    const secret = (await management.users()).find((one) => one.name === agent.id)!.passwordHash;
    await management.putUser(agent.id, secret, rights, 'monitoring');
    await management.limitUser(agent.id, { 'max-connections': 1000 });
    await management.putSecret(`${world().name}-template`, hashPassword('somebody else'));
    const problem = 'wrong topic permissions, wrong permissions, wrong limits';
    assert.deepEqual(await problems(), [
      `host ${agent.id}: more rights than its own: monitoring, ${problem}`,
      `host ${world().name}-template: another secret than the one it gave`,
    ]);
    await fixed();
    assert.deepEqual((await management.permissions()).get(agent.id), hostPermissions(agent.id).access);
  });

  test('makes queues and bindings again, those of all hosts and those of one', async () => {
    await withBroker(async (channel) => {
      await channel.deleteQueue(hostQueue(agent.id));
      await channel.deleteQueue(QUEUE.dead);
      await channel.unbindQueue(
        hostQueue(`${world().name}-template`),
        EXCHANGE.task,
        `${world().name}-template`,
      );
    });
    assert.deepEqual(await problems(), [
      `host ${agent.id}: no queue`,
      `host ${world().name}-template: its queue is not bound`,
      `queue ${QUEUE.dead}: missing`,
    ]);
    await fixed();
  });

  test('ends a binding that leads orders to another host, and tells of one that leads them elsewhere', async () => {
    const tap = 'mega.tap';
    await withBroker(async (channel) => {
      await channel.bindQueue(hostQueue(agent.id), EXCHANGE.task, 'db-01');
      await channel.assertQueue(tap);
      await channel.bindQueue(tap, EXCHANGE.up, 'result.#');
    });
    const found = await world().call<Diagnosis>('doctor', { fix: true });
    assert.deepEqual(
      found.differences.map((one) => [one.subject, one.problem, one.mended]),
      [
        [`binding of ${hostQueue(agent.id)}`, 'gets what mega.task has for db-01', true],
        [`binding of ${tap}`, 'gets what mega.up has for result.#', false],
      ],
    );
    await withBroker((channel) => channel.deleteQueue(tap));
    await healthy();
  });

  test('removes hosts and tokens that the database does not know, and nobody else', async () => {
    const { management, name } = world();
    const stray = `${name}-stray`;
    const person = `${name}-person`;
    const elsewhere = `${name}-elsewhere`;
    try {
      await management.putUser(stray, hashPassword('x'), hostPermissions(stray));
      await management.putUser('join_000000000000', hashPassword('x'), joinerPermissions());
      await management.putUser(person, hashPassword('x'), dispatcherPermissions());
      const body = { password_hash: hashPassword('x'), tags: '' };
      await askBroker(world(), 'PUT', `users/${elsewhere}`, body);
      await withBroker((channel) => channel.assertQueue(hostQueue('admin'))); // an administrator is no host
      assert.deepEqual(await problems(), [
        'queue mega.host.admin: of a host that is not registered',
        'user join_000000000000: its token is over, or was never made',
        `user ${person}: may use the vhost, and mega does not know it`,
        `user ${stray}: a host that is not registered`,
      ]);
      const all = await world().call<Diagnosis>('doctor', { fix: true });
      assert.equal(all.mended, 3);
      const left = new Set((await management.users()).map((one) => one.name));
      const expected = {
        [stray]: false,
        join_000000000000: false,
        [person]: true,
        [elsewhere]: true,
        admin: true,
      };
      for (const [user, isThere] of Object.entries(expected)) assert.equal(left.has(user), isThere, user);
    } finally {
      for (const user of [stray, person, elsewhere]) await management.deleteUser(user);
    }
    await healthy();
  });

  test('gives a token its login back, and a revoked one none', async () => {
    const [kept, revoked] = [await machines.token(), await machines.token()];
    await world().mega('token', 'revoke', revoked.id);
    await world().management.deleteUser(joinerUser(kept.id));
    assert.deepEqual(await problems(), [`token ${kept.id}: no user`]);
    await fixed();
    const users = (await world().management.users()).map((one) => one.name);
    assert.deepEqual(
      [joinerUser(kept.id), joinerUser(revoked.id)].map((one) => users.includes(one)),
      [true, false],
    );
  });

  test('learns the secret of a host that an earlier release has registered', async () => {
    await world().database().run('UPDATE hosts SET password_hash = NULL WHERE id = ?', [agent.id]);
    assert.deepEqual(await problems(), [`host ${agent.id}: the database does not know its secret`]);
    await fixed();
    await world().management.deleteUser(agent.id);
    await fixed();
  });

  test('asks the broker a dozen questions, and for a thousand hosts one more for each page of queues', async () => {
    await using counter = await countRequests(world().servers.rabbitmq.managementUrl);
    const management = new Management(counter.url, world().name);
    const db = world().database();
    const asked = async () => {
      const before = counter.requests;
      const { broker, books } = await lookAt({ management, db });
      return { differences: compare(broker, books), requests: counter.requests - before };
    };
    const few = await asked();
    assert.ok(few.requests <= 12, `${few.requests}`);
    await using _ = await manyHosts(world(), 1_000);
    const many = await asked();
    assert.deepEqual(many, { differences: [], requests: few.requests + 2 });
  });
});
