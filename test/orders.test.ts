import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { changeTargets } from '../src/cli/keys/change.ts';
import type { Broker } from '../src/lib/broker.ts';
import { encode, type Order } from '../src/lib/messages.ts';
import type { Call } from '../src/lib/sender.ts';
import { Subscription } from '../src/lib/subscription.ts';
import { QUEUE } from '../src/lib/topology.ts';
import { signBody } from '../src/lib/trust/jose.ts';
import { newKey } from '../src/lib/trust/keys.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { falseOrder } from './support/orders.ts';
import { asDispatcher, orderKeyOf, sendBody, sendOrder, takeDead } from './support/outage-once.ts';
import { ended, told, upgrade, useWorld } from './support/world.ts';

/** The attacker holds the dispatcher's login at the broker, and not the key of orders. */
describe('a host obeys what the dispatcher has signed, and nothing else', () => {
  const world = useWorld();
  let agent: AgentProcess;
  let other: AgentProcess;
  let key: KeyObject;

  before(async () => {
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await world().publish(version);
    const ids = ['a', 'b'].map((letter) => `${world().name}-${letter}`);
    [agent, other] = (await world().addFleet(ids, '1.0.0')) as [AgentProcess, AgentProcess];
    key = orderKeyOf(world());
  });

  const order = (changes: Partial<Order> = {}): Order => {
    const about = { v: 1, task: uuidv7(), host: agent.id, sequence: 1, type: 'ping', args: {} } as const;
    return { ...about, issued: Date.now(), expires: Date.now() + 60_000, timeoutMs: 1_000, ...changes };
  };
  const signedBody = async (one: Order, by = key) => {
    const body = encode(one);
    return { body, jws: await signBody(body, by) };
  };
  /** The next message in `mega.dead` is this one, with such a reason; and the host goes on. */
  const isParked = async (broker: Broker, reason: RegExp) => {
    const [dead] = await takeDead(broker, 1);
    assert.match(dead!.reason, reason);
    assert.equal(told(await pinged()), 'succeeded  1.0.0');
  };
  /** Stopped, and known to be: an order would leave at once otherwise. */
  const away = async (agent: AgentProcess) => {
    const host = agent.id;
    await agent.stop();
    const online = async () => (await world().call<{ online: boolean }>('get_server', { host })).online;
    await until(`${host} to count as away`, async () => !(await online()));
  };
  const pinged = async () => {
    const { job } = await world().call<{ job: string }>('ping', { on: [agent.id] });
    return (await ended(world(), job)).get(agent.id);
  };

  test('an order that nobody signed is parked', async () => {
    await using broker = await asDispatcher(world());
    await sendBody(broker, agent.id, encode(order()), {});
    await isParked(broker, /bears no signature/);
  });

  test('an order whose arguments were altered on its way is parked', async () => {
    await using broker = await asDispatcher(world());
    const { body, jws } = await signedBody(order({ type: 'client_upgrade', args: { to: '1.1.0' } }));
    await sendBody(broker, agent.id, Buffer.from(body.toString().replace('1.1.0', '1.2.0')), { jws });
    await isParked(broker, /signature does not fit/);
  });

  test('an order that another key signed is parked', async () => {
    await using broker = await asDispatcher(world());
    await sendOrder(broker, order(), newKey());
    await isParked(broker, /signed by [0-9a-f]{16}, which is no .*known key/);
  });

  test('an order for another host is parked', async () => {
    await using broker = await asDispatcher(world());
    const { body, jws } = await signedBody(order({ host: other.id }));
    await sendBody(broker, agent.id, body, { jws });
    await isParked(broker, new RegExp(`an order for ${other.id} came to ${agent.id}`));
  });

  test('an order that begins tomorrow is parked', async () => {
    await using broker = await asDispatcher(world());
    const issued = Date.now() + 86_400_000;
    await sendOrder(broker, order({ issued, expires: issued + 60_000 }), key);
    await isParked(broker, /an order that begins at /);
  });

  test('an order that has expired is not obeyed', async () => {
    await using broker = await asDispatcher(world());
    const late = order({ issued: Date.now() - 120_000, expires: Date.now() - 60_000 });
    await sendOrder(broker, late, key);
    await agent.untilLogged(new RegExp(`"task":"${late.task}".*came after it had expired`));
    assert.equal(told(await pinged()), 'succeeded  1.0.0');
  });

  test('an upgrade that is ordered again by whoever recorded it is recognised', async () => {
    await using broker = await asDispatcher(world());
    const again = order({ type: 'client_upgrade', args: { to: 'nonsense' } });
    for (let i = 0; i < 3; i++) await sendOrder(broker, again, key);
    const seen = () =>
      agent.log().match(new RegExp(`"task":"${again.task}".*was seen before`, 'g'))?.length === 2;
    await until('the order to be recognised twice', seen);
  });

  test('a package that the offline keys did not sign is refused, though the dispatcher ordered it', async () => {
    await away(other);
    const job = await falseOrder(world(), '1.1.0', other.id, { sha256: 'f'.repeat(64) });
    await other.start();
    const task = (await ended(world(), job)).get(other.id);
    assert.equal(task?.state, 'rejected', task?.reason ?? '');
    assert.match(task?.reason ?? '', /another 1\.1\.0 than the one that was signed/);
  });

  test('a version that is not signed at all is refused', async () => {
    await away(other);
    const job = await falseOrder(world(), '1.1.0', other.id, { to: '9.9.9' });
    await other.start();
    const task = (await ended(world(), job)).get(other.id);
    assert.equal(task?.state, 'rejected', task?.reason ?? '');
    assert.match(task?.reason ?? '', /9\.9\.9 is not among the signed packages/);
  });

  test('what is signed is obeyed', async () => {
    const task = (await ended(world(), await upgrade(world(), '1.1.0', [other.id]))).get(other.id);
    assert.equal(told(task), 'succeeded completed 1.1.0', task?.reason ?? '');
  });

  test('metadata that has expired stops upgrades with a clear word, and neither orders nor a start', async () => {
    const call: Call = (fn, args) => world().call(fn, args);
    const expires = Date.now() + 2_000;
    await changeTargets(call, world().signer, (targets) => targets, { days: 2 / 86_400 });
    await until('the targets to have expired', () => Date.now() > expires + 1_000);
    const task = (await ended(world(), await upgrade(world(), '1.2.0', [agent.id]))).get(agent.id);
    assert.equal(task?.state, 'rejected', task?.reason ?? '');
    assert.match(task?.reason ?? '', /the signed metadata has expired: .* must sign it anew/);
    await agent.stop();
    await agent.start();
    assert.equal(told(await pinged()), 'succeeded  1.0.0');
    await changeTargets(call, world().signer, (targets) => targets, { days: 30 });
    const later = (await ended(world(), await upgrade(world(), '1.2.0', [agent.id]))).get(agent.id);
    assert.equal(told(later), 'succeeded completed 1.2.0', later?.reason ?? '');
  });
});

/** The attacker takes calls in the dispatcher's place, by its login at the broker. */
describe('a host believes what the time is from its dispatcher alone:', () => {
  const world = useWorld({}, { dispatchers: 0 });
  let agents: AgentProcess[];
  let key: KeyObject;

  before(async () => {
    const dispatcher = await world().startDispatcher();
    await world().publish('1.0.0');
    const ids = ['unsigned', 'foreign', 'replayed', 'good'].map((name) => `${world().name}-${name}`);
    agents = await world().addFleet(ids, '1.0.0');
    await Promise.all(agents.map((agent) => agent.stop()));
    await dispatcher.end('SIGTERM');
    key = orderKeyOf(world());
  });

  type Sign = (body: Buffer) => Promise<Record<string, string>>;
  const byOurs: Sign = async (body) => ({ jws: await signBody(body, key) });

  /** A dispatcher that thinks that it is tomorrow; resolves when the host has heard it and said `expected`. */
  async function hears(agent: AgentProcess, expected: RegExp, sign: Sign, id?: string): Promise<void> {
    await using broker = await asDispatcher(world());
    const calls = new Subscription(broker, { queue: QUEUE.api, prefetch: 10 }, async (message) => {
      message.ack();
      const result = { time: Date.now() + 86_400_000, probed: false, steadyMs: 1e6 };
      const body = encode({ ok: true, id: id ?? message.messageId, result });
      const { replyTo: to, correlationId } = message;
      const address = { exchange: '', key: to, correlationId, type: 'reply', messageId: uuidv7() };
      await broker.publish({ ...address, body, headers: await sign(body) });
    });
    await agent.start();
    await agent.untilLogged(expected);
    await calls.close();
    await agent.stop();
  }
  const named = (name: string) => agents.find((agent) => agent.id.endsWith(name))!;

  test('not from an answer that nobody signed', () =>
    hears(named('unsigned'), /bears no signature/, async () => ({})));

  test('not from one that another key signed', () => {
    const another = newKey();
    const sign: Sign = async (body) => ({ jws: await signBody(body, another) });
    return hears(named('foreign'), /signed by [0-9a-f]{16}, which is no .*known key/, sign);
  });

  test('not from one that answers another call', () =>
    hears(named('replayed'), /one to another call/, byOurs, uuidv7()));

  test('from one that answers its own', () => hears(named('good'), /"clockOffsetMs":86[34]\d{5}/, byOurs));
});
