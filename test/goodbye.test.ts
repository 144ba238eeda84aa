import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { Sightings } from '../src/dispatcher/sightings.ts';
import { getHost, markHellos } from '../src/dispatcher/store/hosts.ts';
import { addHost } from '../src/dispatcher/store/registered.ts';
import type { Broker } from '../src/lib/broker.ts';
import type { Conn } from '../src/lib/conn.ts';
import { EXCHANGE, QUEUE } from '../src/lib/topology.ts';
import { asDispatcher, messagesIn } from './support/outage-once.ts';
import { ended, tasksOf, told, upgrade, useWorld } from './support/world.ts';

/** So long that no silence is noticed while these tests run. */
const NEVER_MS = 3_600_000;
const OVERHEARD = 'mega.overheard';

describe('an agent that is stopped', () => {
  const world = useWorld({ dispatcher: { offlineAfterMs: NEVER_MS } });
  let agent: AgentProcess;
  let db: Conn;

  before(async () => {
    for (const version of ['1.0.0', '1.1.0']) await world().publish(version);
    [agent] = (await world().addFleet([`${world().name}-a`], '1.0.0')) as [AgentProcess];
    db = world().database();
  });

  const isOnline = async () => (await getHost(db, agent.id))?.online;
  const untilAway = () => until('the host to count as away', async () => (await isOnline()) === false);

  /** The kinds of all that the host has said as events since the queue is there. */
  async function overheard(dispatcher: Broker): Promise<string[]> {
    return dispatcher.withChannel(async (channel) => {
      const kinds: string[] = [];
      for (;;) {
        const message = await channel.get(OVERHEARD, { noAck: true });
        if (!message) return kinds;
        kinds.push((JSON.parse(message.content.toString()) as { kind: string }).kind);
      }
    });
  }

  test('counts as away at once, and not only when its silence is noticed', async () => {
    await agent.stop();
    await untilAway();
    await agent.start();
    await world().untilOnline([agent.id]);
  });

  test('takes up what was ordered meanwhile, and nothing of it is lost', async () => {
    await agent.stop();
    await untilAway();
    const job = await upgrade(world(), '1.1.0', [agent.id]);
    assert.equal((await tasksOf(world(), job)).get(agent.id)?.state, 'pending');
    await agent.start();
    assert.equal(told((await ended(world(), job)).get(agent.id)), 'succeeded completed 1.1.0');
  });

  test('says goodbye once, and none when it only restarts for an upgrade', async () => {
    await using dispatcher = await asDispatcher(world());
    await dispatcher.withChannel(async (channel) => {
      await channel.assertQueue(OVERHEARD, { durable: true });
      await channel.bindQueue(OVERHEARD, EXCHANGE.up, `event.${agent.id}`);
    });
    await ended(world(), await upgrade(world(), '1.0.0', [agent.id]));
    const during = await overheard(dispatcher);
    assert.ok(during.includes('answer'), 'the new process was heard');
    assert.ok(!during.includes('goodbye'));
    await agent.stop();
    await untilAway();
    assert.deepEqual(
      (await overheard(dispatcher)).filter((kind) => kind === 'goodbye'),
      ['goodbye'],
    );
    assert.equal(await messagesIn(dispatcher, QUEUE.dead), 0);
  });
});

describe('a goodbye', () => {
  const world = useWorld();
  let db: Conn;
  let sightings: Sightings;
  const [old, fresh] = [randomUUID(), randomUUID()];
  const host = 'leaves';
  const about = { v: 1, host } as const;
  const beat = { ...about, kind: 'heartbeat', boot: old, version: '1.0.0', at: 0 } as const;
  const goodbye = { ...about, kind: 'goodbye', boot: old } as const;

  before(async () => {
    db = world().database();
    sightings = new Sightings(db);
    await addHost(db, host);
  });

  const hello = (boot: string) =>
    db.transaction((tx) => markHellos(tx, [{ host, boot, version: '1.0.0', platform: 'linux-x64' }]));
  const isOnline = async () => (await getHost(db, host))?.online;

  test('counts more than a beat that was heard just before it', async () => {
    await hello(old);
    sightings.note(beat);
    sightings.note(goodbye);
    await sightings.flush();
    assert.equal(await isOnline(), false);
  });

  test('counts less than whatever is heard after it', async () => {
    await hello(old);
    sightings.note(goodbye);
    sightings.note(beat);
    await sightings.flush();
    assert.equal(await isOnline(), true);
  });

  test('of a process that another one has followed says nothing', async () => {
    await hello(fresh);
    sightings.note(goodbye);
    await sightings.flush();
    assert.equal(await isOnline(), true);
  });
});
