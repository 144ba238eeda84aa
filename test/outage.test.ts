import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../dev/world/until.ts';
import { onlyLong } from './support/long.ts';
import { Fleet } from './support/outage.ts';
import { withoutOwnServers } from './support/own.ts';

/*
 * Servers of this file's own, since they are stopped and killed: never those that the tests share. Each test breaks
 * something in the middle of an upgrade of the whole fleet; `heals` then checks that nobody was blamed for it (I5),
 * that nothing was lost, and that nothing was done twice (I1).
 */
describe('a fleet in the middle of an upgrade', { timeout: 280_000, skip: withoutOwnServers() }, () => {
  let fleet: Fleet;
  const held = '1.0.8';

  before(async () => {
    fleet = await Fleet.open(['1.0.1', '1.0.2', '1.0.3', '1.0.4', '1.0.5', '1.0.6', '1.0.7', held], held);
  });
  after(() => fleet?.[Symbol.asyncDispose]());

  test('goes on after RabbitMQ was stopped in order and started again', async () => {
    const job = await fleet.untilInTheMiddle('1.0.1');
    await fleet.servers.rabbitmq.stop();
    fleet.letGo('c');
    await fleet.servers.rabbitmq.start();
    await fleet.heals(job, '1.0.1');
  });

  test('goes on after RabbitMQ was killed and started again', async () => {
    const job = await fleet.untilInTheMiddle('1.0.2');
    fleet.letGo('c');
    await fleet.servers.rabbitmq.kill();
    await fleet.servers.rabbitmq.start();
    await fleet.heals(job, '1.0.2');
  });

  test('goes on after MariaDB was stopped in order and started again', onlyLong, async () => {
    const job = await fleet.untilInTheMiddle('1.0.3');
    await fleet.servers.mariadb.stop();
    fleet.letGo('c');
    await fleet.untilDispatcherLogs(/"fn":"get_package".*cannot be reached/);
    await fleet.servers.mariadb.start();
    await fleet.heals(job, '1.0.3');
  });

  test('goes on after MariaDB was killed and started again', async () => {
    const job = await fleet.untilInTheMiddle('1.0.4');
    fleet.letGo('c');
    await fleet.servers.mariadb.kill();
    await fleet.servers.mariadb.start();
    await fleet.heals(job, '1.0.4');
  });

  test('goes on with one of two dispatchers when the other is killed', async () => {
    const job = await fleet.untilInTheMiddle('1.0.5');
    fleet.letGo('c');
    await fleet.dispatchers[0]?.killAll();
    await fleet.heals(job, '1.0.5');
    assert.equal(fleet.dispatchers[1]?.hasEnded(), false);
  });

  test('goes on when all dispatchers were killed and one is started anew', async () => {
    const job = await fleet.untilInTheMiddle('1.0.6');
    await Promise.all(fleet.dispatchers.map((one) => one.killAll()));
    fleet.letGo('c');
    await fleet.world.startDispatcher();
    await fleet.heals(job, '1.0.6');
  });

  test('goes on after the broker froze for longer than anybody waits for a confirm', async () => {
    const job = await fleet.untilInTheMiddle('1.0.7');
    fleet.letGo('c');
    assert.match(await fleet.freezeUntilPublishIsGivenUp(), /no confirm in time/);
    await fleet.heals(job, '1.0.7');
  });

  test('passes no verdict on releases on trial while there is no broker, and holds their trials again', async () => {
    const letters = ['a', 'b', 'c'];
    for (const one of letters) fleet.holdOnTrial(one, true);
    const trial = { starts: 3, seconds: 9, hangSeconds: 9 };
    const job = await fleet.order(held, letters, trial);
    await until('all to be on trial', () => letters.every((one) => fleet.onTrial(one)), { pollMs: 20 });
    await fleet.servers.rabbitmq.stop();
    for (const one of letters) fleet.holdOnTrial(one, false);
    for (const one of letters) await fleet.host(one).untilLogged(/no dispatcher to arbitrate with/);
    await fleet.servers.rabbitmq.start();
    const tasks = await fleet.heals(job, held, letters);
    for (const [id, { events }] of tasks) {
      const phases = events.map((one) => one.phase);
      assert.equal(phases.includes('rolling_back'), true, id);
      assert.equal(phases.includes('waiting_for_broker'), true, id);
    }
  });

  test('has no version on any skip list, and nothing left to say, after all of this', async () => {
    for (const agent of fleet.hosts.values()) {
      await agent.stop();
      const found = agent.readJournal((db) => ({
        skipped: db.prepare('SELECT version, reason FROM skipped').all(),
        unsent: db.prepare('SELECT body FROM outbox').all(),
        open: db.prepare("SELECT id FROM tasks WHERE state <> 'ended'").all(),
      }));
      assert.deepEqual(found, { skipped: [], unsent: [], open: [] }, agent.id);
    }
  });
});
