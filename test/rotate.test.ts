import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { askBroker } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import { Broker } from '../src/lib/broker.ts';
import { readIfThere } from '../src/lib/files.ts';
import { exitOf } from './support/orders.ts';
import { ended, type JobView, type TaskView, told, useWorld } from './support/world.ts';

describe('exchanging a secret', { concurrency: 3 }, () => {
  const world = useWorld();
  const name = (id: string) => `${world().name}-${id}`;

  async function running(id: string): Promise<AgentProcess> {
    const agent = await world().addHost(name(id), '1.0.0');
    void agent.supervise();
    await world().untilOnline([agent.id]);
    return agent;
  }
  const secretOf = (agent: AgentProcess) =>
    (JSON.parse(readFileSync(agent.home.identity, 'utf8')) as { secret: string }).secret;
  const bootOf = async (agent: AgentProcess) => {
    const { job } = await world().call<{ job: string }>('ping', { on: [agent.id] });
    const task = (await ended(world(), job)).get(agent.id) as TaskView & { output: { boot: string } };
    assert.equal(told(task), 'succeeded  1.0.0', agent.log());
    return task.output.boot;
  };
  async function letsIn(agent: AgentProcess, secret: string): Promise<boolean> {
    const { broker } = JSON.parse(readFileSync(agent.home.config, 'utf8')) as { broker: string };
    const url = new URL(broker);
    url.username = agent.id;
    url.password = secret;
    await using tried = await Broker.start({ url: url.href, name: 'test', reconnectMs: 50 });
    const answer = Promise.withResolvers<boolean>();
    tried.on('connected', () => answer.resolve(true));
    tried.on('refused', () => answer.resolve(false));
    return await answer.promise;
  }

  test('hosts get in with a new secret and no more with the old one, and nothing of them restarts', async () => {
    const agents = [await running('a'), await running('b')] as const;
    const before = agents.map(secretOf);
    const boots = [await bootOf(agents[0]), await bootOf(agents[1])];
    const answer = await world().json<JobView>('host', 'rotate', agents[0].id, '--on', agents[1].id);
    assert.deepEqual([answer.state, answer.counts], ['succeeded', { succeeded: 2 }]);
    for (const [i, agent] of agents.entries()) {
      assert.notEqual(secretOf(agent), before[i]);
      assert.equal(readIfThere(agent.home.identityNext), undefined);
      assert.deepEqual(
        [await letsIn(agent, secretOf(agent)), await letsIn(agent, before[i]!)],
        [true, false],
      );
      assert.equal(await bootOf(agent), boots[i]);
    }
    assert.deepEqual(await exitOf(world(), 'host', 'rotate'), {
      code: 2,
      err: 'mega: name the hosts, or give --on all\n',
    });
  });

  test('after the connection was lost the same process comes back with the new secret', async () => {
    const agent = await running('reconnects');
    const boot = await bootOf(agent);
    await world().mega('host', 'rotate', agent.id);
    const isOwn = (one: { user: string }) => one.user === agent.id;
    const own = await until('its connection to be seen', async () => {
      return (await askBroker<{ name: string; user: string }[]>(world(), 'GET', 'connections')).find(isOwn);
    });
    await askBroker(world(), 'DELETE', `connections/${encodeURIComponent(own.name)}`);
    await agent.untilLogged(/(connected to the broker[\s\S]*){2}/);
    assert.equal(await bootOf(agent), boot);
  });

  const POINTS = ['made', 'noted', 'told', 'taken'];
  for (const point of POINTS) {
    for (const victim of ['agent', 'both'] as const) {
      const who = victim === 'both' ? 'loader and agent' : 'the agent';
      test(`with ${who} killed at rotate:${point} the host gets in, and the exchange is completed`, async () => {
        const agent = await running(`${point}-${victim}`);
        const before = secretOf(agent);
        agent.setFault(`rotate:${point}`, victim);
        const { job } = await world().call<{ job: string }>('rotate_secret', { on: [agent.id] });
        const task = (await ended(world(), job)).get(agent.id);
        assert.equal(agent.faultIsPending(), false, 'the fault point was never reached');
        assert.equal(told(task), 'succeeded  1.0.0', `${task?.reason}\n${agent.log()}`);
        assert.notEqual(secretOf(agent), before);
        assert.equal(readIfThere(agent.home.identityNext), undefined);
        assert.deepEqual([await letsIn(agent, secretOf(agent)), await letsIn(agent, before)], [true, false]);
        await bootOf(agent);
      });
    }
  }

  test('a next secret that the broker was never told of does no harm, and is used for the next exchange', async () => {
    const agent = await running('unheard');
    await agent.stop();
    const secret = 'a secret that nobody knows but this disk';
    writeFileSync(agent.home.identityNext, JSON.stringify({ host: agent.id, secret }));
    await world().untilOnline([agent.id]);
    await bootOf(agent);
    assert.notEqual(secretOf(agent), secret);
    await world().mega('host', 'rotate', agent.id);
    assert.equal(secretOf(agent), secret);
  });
});
