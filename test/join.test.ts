import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { askBroker } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import { Broker, type Channel } from '../src/lib/broker.ts';
import { hashPassword } from '../src/lib/management.ts';
import { caller } from '../src/lib/sender.ts';
import { decodeToken, joinPassword, sha256Hex } from '../src/lib/token.ts';
import {
  EXCHANGE,
  hostPermissions,
  hostQueue,
  joinerUser,
  operatorPermissions,
  QUEUE,
} from '../src/lib/topology.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { changed, joinWith, Machines, startJoin } from './support/join.ts';
import { exitOf, rewrite } from './support/orders.ts';
import { Wire } from './support/wire.ts';
import { ended, told, useWorld } from './support/world.ts';

type HostView = { id: string; online: boolean; labels: Record<string, string> };
type TokenView = { id: string; state: string; used: number; uses: number };

describe('joining', { concurrency: 3 }, () => {
  // Agents that have joined beat as seldom as users' do.
  const world = useWorld({ dispatcher: { offlineAfterMs: 65_000 } });
  const machines = new Machines(world);
  before(() => world().build('1.0.0'));

  const pinged = async (id: string) => {
    const { job } = await world().call<{ job: string }>('ping', { on: [id] });
    return told((await ended(world(), job)).get(id));
  };
  const hosts = async () => (await world().call<HostView[]>('get_all_server')).map((one) => one.id);
  const usersOfBroker = async () =>
    (await askBroker<{ name: string }[]>(world(), 'GET', 'users')).map((one) => one.name);
  const tokenOf = async (id: string) =>
    (await world().call<TokenView[]>('get_all_token')).find((one) => one.id === id);

  /** Refused for this reason, and nothing is there that was not before. */
  async function assertRefused(agent: AgentProcess, token: string, reason: RegExp): Promise<void> {
    const outcome = await joinWith(agent, token);
    assert.equal(outcome.code, 2, outcome.err);
    assert.match(outcome.err, reason);
    assert.ok(!(await hosts()).includes(agent.id));
    assert.ok(!(await usersOfBroker()).includes(agent.id));
    assert.ok(!(await world().management.queueNames('.*')).includes(hostQueue(agent.id)));
    assert.deepEqual(readdirSync(agent.home.state), []);
    assert.ok(!readdirSync(agent.home.root).includes('etc'));
  }

  test('a machine joins with the line that was printed, runs, and answers its first ping', async () => {
    const agent = await machines.bare('first');
    const made = await machines.token('--label', 'dc=hz', '--label', 'env=test', '--uses', '2');
    assert.match(made.line, /^printf %s 'mega1\.[\w-]+' \| sh mega-install-[\w.-]+\.sh$/);
    const outcome = await joinWith(agent, `${made.token}\n`);
    assert.deepEqual(outcome, { code: 0, out: `joined as ${agent.id}\n`, err: '' });
    assert.equal(sha256Hex(readFileSync(agent.home.trustRoot, 'utf8')), decodeToken(made.token).root);
    await agent.start();
    await world().untilOnline([agent.id]);
    assert.equal(await pinged(agent.id), 'succeeded  1.0.0', agent.log());
    const shown = await world().json<HostView>('host', 'show', agent.id);
    assert.deepEqual(shown.labels, { dc: 'hz', env: 'test' });
    const { used, state } = (await tokenOf(made.id))!;
    assert.deepEqual([used, state], [1, 'active']);
  });

  test('its secrets are for its owner alone, and its user may do what a host may, no more', async () => {
    const agent = await machines.joined('modest');
    const { home } = agent;
    const modes = [home.identity, home.machineKey].map((path) => statSync(path).mode & 0o777);
    assert.deepEqual([...modes, statSync(home.state).mode & 0o777], [0o600, 0o600, 0o700]);
    assert.doesNotMatch(readFileSync(home.config, 'utf8'), new RegExp(`join_|${agent.id}`));
    const { access, topic } = hostPermissions(agent.id);
    const path = `${world().name}/${agent.id}`;
    const { configure, write, read } = await askBroker<typeof access>(world(), 'GET', `permissions/${path}`);
    assert.deepEqual({ configure, write, read }, access);
    const [given] = await askBroker<(typeof topic)[]>(world(), 'GET', `topic-permissions/${path}`);
    assert.deepEqual([given?.write, given?.read], [topic.write, topic.read]);
    const { limits } = await askBroker<{ limits: object }>(world(), 'GET', `users/${agent.id}`);
    assert.deepEqual(limits, { 'max-connections': 3, 'max-channels': 10 });
  });

  /** A wire to the broker on which what a call is answered with never arrives. */
  async function withoutAnswer(token: string): Promise<{ wire: Wire; line: string }> {
    const { id, secret, broker: address } = decodeToken(token);
    const wire = await Wire.open(address);
    const url = new URL(wire.through(address));
    const line = changed(token, { broker: url.href });
    url.username = joinerUser(id);
    url.password = joinPassword(secret);
    const probe = await Broker.start({ url: url.href, name: 'counts what comes until one may ask' });
    await probe.ready(10_000);
    const { down } = wire.bytes;
    await probe.close();
    void wire.holdAfter('down', down);
    return { wire, line };
  }

  test('killed before the answer came, it burns no use: the same command again completes it', async () => {
    const agent = await machines.bare('unlucky');
    const { id, token } = await machines.token();
    const { wire, line } = await withoutAnswer(token);
    await using _ = wire;
    const child = startJoin(agent, line);
    await until('the call to arrive', async () => (await tokenOf(id))?.used === 1);
    child.kill('SIGKILL');
    await once(child, 'close');
    const outcome = await joinWith(agent, token);
    assert.equal(outcome.code, 0, outcome.err);
    assert.equal((await tokenOf(id))?.used, 1);
    await agent.start();
    await world().untilOnline([agent.id]);
  });

  test('an answer that is lost on its way is asked for again, and burns no use', async () => {
    const agent = await machines.bare('patient');
    const { id, token } = await machines.token();
    const { wire, line } = await withoutAnswer(token);
    await using _ = wire;
    const child = startJoin(agent, line);
    await until('the call to arrive', async () => (await tokenOf(id))?.used === 1);
    assert.equal(child.exitCode, null);
    wire.cut();
    wire.mend();
    await once(child, 'close');
    assert.deepEqual([child.text().code, child.text().out], [0, `joined as ${agent.id}\n`], child.text().err);
    assert.equal((await tokenOf(id))?.used, 1);
  });

  test('a token is good for as many machines as it says, and the next one is told', async () => {
    const { id, token } = await machines.token('--uses', '2');
    for (const name of ['one', 'two']) {
      const agent = await machines.bare(`use-${name}`);
      assert.equal((await joinWith(agent, token)).code, 0);
      assert.equal((await joinWith(agent, token)).code, 0); // again: the same machine takes no other use
    }
    await assertRefused(await machines.bare('use-three'), token, /the token was used 2 times/);
    assert.equal((await tokenOf(id))?.state, 'used_up');
    assert.match(
      (await world().mega('token', 'list')).replace(/ +/g, ' '),
      new RegExp(`${id} used_up 2 of 2`),
    );
  });

  test('of machines that come at the same time no more join than a token has uses', async () => {
    const { token } = await machines.token('--uses', '2');
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => machines.bare(`race-${name}`)));
    const outcomes = await Promise.all(all.map((agent) => joinWith(agent, token)));
    assert.deepEqual(outcomes.map((one) => one.code).toSorted(), [0, 0, 2, 2]);
  });

  test('a token that has expired is refused with the reason, and its login goes a day later', async () => {
    const { id, token } = await machines.token('--ttl', '1s');
    await until('it to expire', async () => (await tokenOf(id))?.state === 'expired');
    const agent = await machines.bare('late');
    await assertRefused(agent, token, /the token expired .*mega token create/);
    assert.ok((await usersOfBroker()).includes(joinerUser(id)));
    const aDayAgo = 'UPDATE tokens SET expires_at = expires_at - INTERVAL 1 DAY WHERE id = ?';
    await world().database().run(aDayAgo, [id]);
    await until('its login to go', async () => !(await usersOfBroker()).includes(joinerUser(id)));
    await assertRefused(agent, token, /the broker does not know this token/);
  });

  test('a token that was revoked is refused at once, and the hosts that joined with it stay', async () => {
    const { id, token } = await machines.token('--uses', '5');
    const there = await machines.bare('before');
    assert.equal((await joinWith(there, token)).code, 0);
    assert.match(await world().mega('token', 'revoke', id), /the 1 host that joined with it stays\n/);
    await assertRefused(await machines.bare('after'), token, /does not know this token: it was revoked/);
    await there.start();
    await world().untilOnline([there.id]);
    assert.deepEqual(await exitOf(world(), 'token', 'revoke', '000000000000'), {
      code: 2,
      err: 'mega: there is no token 000000000000; mega token list shows all\n',
    });
  });

  test('a token of which one letter is wrong, or a part is missing, is refused before anybody is asked', async () => {
    const { token } = await machines.token();
    const agent = await machines.bare('typo');
    for (const at of [3, 10, 60, 150, token.length - 2]) {
      const other = token[at] === 'A' ? 'B' : 'A';
      const outcome = await joinWith(agent, token.slice(0, at) + other + token.slice(at + 1));
      assert.deepEqual([outcome.code, /copy the whole line/.test(outcome.err)], [2, true], outcome.err);
    }
    for (const text of ['', 'mega1.', token.slice(0, -5), 'x'.repeat(100_000)]) {
      assert.equal((await joinWith(agent, text)).code, 2);
    }
  });

  test('guessing a secret is refused by the broker, and by the dispatcher too', async () => {
    const { id, token } = await machines.token();
    const agent = await machines.bare('guesser');
    const guess = 'A'.repeat(43);
    await assertRefused(agent, changed(token, { secret: guess }), /does not know this token/);
    await world().management.putSecret(joinerUser(id), hashPassword(joinPassword(guess)));
    await assertRefused(agent, changed(token, { secret: guess }), /there is no such token/);
  });

  test('a root of trust other than the one that the token names is not believed, nor written', async () => {
    const { token } = await machines.token();
    const agent = await machines.bare('deceived');
    const outcome = await joinWith(agent, changed(token, { root: '0'.repeat(64) }));
    assert.equal(outcome.code, 2);
    assert.match(outcome.err, /the root of trust that came is not the one that the token names/);
    assert.ok(!readdirSync(agent.home.state).includes('identity.json'));
  });

  test('a name that another machine has is told, with both ways out', async () => {
    const owner = await machines.joined('owner');
    const { id, token } = await machines.token();
    const other = await machines.bare('pretender');
    const outcome = await joinWith(other, token, owner.id);
    assert.equal(outcome.code, 2);
    assert.match(outcome.err, /another machine is called .*--name.*mega host remove/);
    assert.deepEqual(readdirSync(other.home.state), []);
    assert.equal((await tokenOf(id))?.used, 0);
    await owner.start();
    await world().untilOnline([owner.id]);
  });

  test('a name that another user of the broker has is refused, and that user is left alone', async () => {
    const name = `${world().name}-person`;
    const { management } = world();
    await management.putUser(name, hashPassword('theirs'), operatorPermissions(), 'monitoring');
    try {
      const agent = await machines.bare('person');
      const outcome = await joinWith(agent, (await machines.token()).token, name);
      assert.deepEqual([outcome.code, /is no host of this fleet/.test(outcome.err)], [2, true]);
      assert.deepEqual((await management.users()).find((one) => one.name === name)?.tags, ['monitoring']);
    } finally {
      await management.deleteUser(name);
    }
  });

  test('the same machine joins twice: it gets a new secret and keeps its settings and its history', async () => {
    const agent = await machines.joined('twice', '--label', 'dc=hz');
    const first = readFileSync(agent.home.identity, 'utf8');
    rewrite(agent.home.config, () => ({ heartbeatMs: 1_000 }));
    await agent.start();
    await world().untilOnline([agent.id]);
    await pinged(agent.id);
    const { token } = await machines.token('--label', 'env=prod');
    const running = await joinWith(agent, token);
    assert.deepEqual([running.code, /first: mega_client stop/.test(running.err)], [2, true], running.err);
    await agent.stop();
    assert.equal((await joinWith(agent, token, '')).code, 0);
    assert.notEqual(readFileSync(agent.home.identity, 'utf8'), first);
    assert.equal(JSON.parse(readFileSync(agent.home.config, 'utf8')).heartbeatMs, 1_000);
    await agent.start();
    assert.equal(await pinged(agent.id), 'succeeded  1.0.0');
    const shown = await world().json<HostView & { tasks: unknown[] }>('host', 'show', agent.id);
    assert.deepEqual(shown.labels, { dc: 'hz', env: 'prod' });
    assert.equal(shown.tasks.length, 2);
  });

  test('a cloned disk is told to take a name of its own, and with one it is a host like any other', async () => {
    const original = await machines.joined('original');
    const clone = machines.clone(original, 'clone');
    await original.start();
    await world().untilOnline([original.id]);
    const { token } = await machines.token('--uses', '2');
    const outcome = await joinWith(clone, token, '');
    assert.equal(outcome.code, 2);
    assert.match(outcome.err, /runs already.*a copy of that one.*--name/);
    const name = `${world().name}-clone`;
    const renamed = await joinWith(clone, token, name);
    assert.equal(renamed.code, 0, renamed.err);
    const key = (agent: AgentProcess) => readFileSync(agent.home.machineKey, 'utf8');
    assert.notEqual(key(clone), key(original));
    await clone.start();
    await world().untilOnline([original.id, name]);
    assert.deepEqual(
      [await pinged(original.id), await pinged(name)],
      ['succeeded  1.0.0', 'succeeded  1.0.0'],
    );
  });

  test('a host that is removed is cut off at once, and neither its login nor its old token brings it back', async () => {
    const agent = await machines.bare('removed');
    const { token } = await machines.token();
    assert.equal((await joinWith(agent, token)).code, 0);
    await agent.start();
    await world().untilOnline([agent.id]);
    const connections = async () => {
      const all = await askBroker<{ user: string }[]>(world(), 'GET', 'connections');
      return all.filter((one) => one.user === agent.id).length;
    };
    await until('its connection to be seen', async () => (await connections()) > 0);
    await pinged(agent.id);
    await world().mega('host', 'remove', agent.id);
    await until('its connection to be closed', async () => (await connections()) === 0);
    await agent.untilLogged(/refuses the user or the password/);
    assert.ok(!(await usersOfBroker()).includes(agent.id));
    assert.ok(!(await world().management.queueNames('.*')).includes(hostQueue(agent.id)));
    assert.equal((await world().call<unknown[]>('get_all_task', { host: agent.id })).length, 1);
    await agent.stop();
    assert.match((await joinWith(agent, token)).err, /the token was used 1 times/);
    assert.equal((await joinWith(agent, (await machines.token()).token)).code, 0);
  });

  test('the login of a token can do nothing but enrol', async () => {
    const { id, token } = await machines.token();
    const { broker: address, secret } = decodeToken(token);
    const url = new URL(address);
    url.username = joinerUser(id);
    url.password = joinPassword(secret);
    await using broker = await Broker.start({ url: url.href, name: 'intruder', reconnectMs: 100 });
    await broker.ready(10_000);
    const call = caller(broker);
    for (const fn of [
      'get_all_funcs',
      'get_all_server',
      'client_ping',
      'set_secret',
      'ping',
      'create_token',
    ]) {
      await assert.rejects(call(fn), { code: 'refused' }, fn);
    }
    const attempts = [
      (channel: Channel) =>
        channel.checkQueue('no-such-queue').then(() => channel.consume(QUEUE.results, () => {})),
      (channel: Channel) => channel.consume(QUEUE.results, () => undefined),
      (channel: Channel) => channel.get(QUEUE.api),
      (channel: Channel) => channel.assertQueue('mine'),
      (channel: Channel) => channel.assertQueue(''),
      (channel: Channel) => channel.assertExchange('mine', 'fanout'),
      (channel: Channel) => channel.purgeQueue(QUEUE.results),
      (channel: Channel) => channel.deleteQueue(QUEUE.results),
      (channel: Channel) => channel.bindQueue(QUEUE.dead, EXCHANGE.up, '#'),
    ];
    for (const attempt of attempts)
      await assert.rejects(broker.withChannel(attempt), /403|404|ACCESS_REFUSED/);
    const message = { type: 'x', messageId: uuidv7(), body: Buffer.from('{}') };
    for (const address of [
      { exchange: EXCHANGE.up, key: 'call.op_admin' },
      { exchange: EXCHANGE.up, key: `result.${joinerUser(id)}` },
      { exchange: EXCHANGE.task, key: 'db-01' },
      { exchange: '', key: QUEUE.results },
    ]) {
      await broker.ready(10_000);
      await assert.rejects(broker.publish({ ...message, ...address }), { code: 'broker_unavailable' });
    }
    assert.equal(
      await world()
        .call('get_all_funcs')
        .then(() => 'alive'),
      'alive',
    );
  });

  /** Killed there, then asked for with the same words again. */
  async function completed(agent: AgentProcess, name: string, point: string): Promise<void> {
    const { id, token } = await machines.token();
    mkdirSync(agent.home.state, { recursive: true, mode: 0o700 });
    agent.setFault(point, 'agent');
    await joinWith(agent, token, name);
    assert.equal(agent.faultIsPending(), false, `${point} was never reached`);
    const outcome = await joinWith(agent, token, name);
    assert.equal(outcome.code, 0, `${point}: ${outcome.err}`);
    assert.equal((await tokenOf(id))?.used, 1, point);
    assert.ok(!readdirSync(agent.home.state).includes('join.json'), point);
    await agent.start();
    await world().untilOnline([name]);
    await agent.stop();
  }

  const POINTS = ['prepared', 'answered', 'configured', 'cleared', 'identified', 'keyed'];
  for (const point of POINTS.map((one) => `join:${one}`)) {
    test(`killed at ${point}, the same command again completes it, for a new host and for one renamed`, async () => {
      const agent = await machines.bare(point.replace(':', '-'));
      await completed(agent, agent.id, point);
      await completed(agent, `${agent.id}-anew`, point);
    });
  }
});
