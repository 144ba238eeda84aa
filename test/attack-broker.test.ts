import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import type { ConfirmChannel, Options } from 'amqplib';
import { askBroker } from '../dev/world/broker.ts';
import { functions } from '../src/dispatcher/api/registry.ts';
import type { Broker } from '../src/lib/broker.ts';
import type { Conn } from '../src/lib/conn.ts';
import { encode, MAX_BODY_BYTES } from '../src/lib/messages.ts';
import { openSender } from '../src/lib/sender.ts';
import {
  EXCHANGE,
  HOST_LIMITS,
  hostQueue,
  QUEUE,
  REPLY_QUEUE,
  streamQueue,
  type UpKind,
  upKey,
} from '../src/lib/topology.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { publishNested } from './support/deep-headers.ts';
import { Intruder, loginOf, operatorLogin } from './support/intruder.ts';
import { messagesIn, takeDead } from './support/outage-once.ts';
import { dispatcherBroker, PackageStream } from './support/stream.ts';
import { ended, type TaskView, tasksOf, told, useWorld } from './support/world.ts';

const REFUSED = 403;
/** A precondition: another's `user-id`, or a reply queue that nobody reads. */
const UNMET = 406;

/** Nobody is cut off for how much he says: each message is to be judged by itself. */
const UNBOUNDED = { floodMessages: 1e6, floodBytes: 2 ** 40, floodCalls: 1e6, floodUnread: 1e6 };

type Properties = { [K in keyof Options.Publish]: Options.Publish[K] | undefined };

/**
 * One host's login, and then an operator's, in the hands of somebody who means harm. Three hosts: `stolen`, whose
 * login it is; `honest`, whose agent runs; and `away`, in whose queue an order waits.
 */
describe('whoever holds one login of the broker', () => {
  const world = useWorld({ dispatcher: UNBOUNDED });
  const id = (name: string) => `${world().name}-${name}`;
  const opened = new AsyncDisposableStack();
  const logins = { host: '', operator: '', operatorUser: '' };
  let dispatcher: Broker;
  let db: Conn;
  let stream: PackageStream;
  /** Of the honest host: an upgrade that has ended. */
  let foreign: TaskView;

  before(async () => {
    const file = await world().publish('1.0.0');
    await world().addFleet([id('honest')], '1.0.0');
    await world().addHost(id('away'), '1.0.0');
    const stolen = await world().addHost(id('stolen'), '1.0.0');
    logins.host = loginOf(stolen.home);
    logins.operator = operatorLogin(world());
    logins.operatorUser = new URL(logins.operator).username;
    dispatcher = opened.use(await dispatcherBroker(world()));
    db = world().database();
    stream = new PackageStream(world(), dispatcher, file);
    await stream.declare();
    await stream.put([0]);
    const order = { exchange: EXCHANGE.task, key: id('away'), type: 'order', messageId: uuidv7() };
    await dispatcher.publish({ ...order, body: Buffer.from('{}'), mandatory: true });
    foreign = await pinged();
  });
  after(() => opened.disposeAsync());

  /** The honest host takes an order and answers it: it goes on whatever was tried. */
  async function pinged(): Promise<TaskView> {
    const { job } = await world().call<{ job: string }>('ping', { on: [id('honest')] });
    const task = (await ended(world(), job)).get(id('honest'));
    assert.equal(told(task), 'succeeded  1.0.0');
    return task!;
  }

  /** All that must be the same afterwards: what is declared, who may do what, what lies in queues, what is recorded. */
  async function standing() {
    const { queues, exchanges, bindings, policies } = await askBroker<Record<string, object[]>>(
      world(),
      'GET',
      `definitions/${world().name}`,
    );
    const path = (what: string) => `vhosts/${world().name}/${what}`;
    const permissions = await askBroker(world(), 'GET', path('permissions'));
    const topics = await askBroker(world(), 'GET', path('topic-permissions'));
    const names = [...Object.values(QUEUE), ...['away', 'honest', 'stolen'].map((one) => hostQueue(id(one)))];
    const held: Record<string, number> = {};
    for (const name of names) held[name] = await messagesIn(dispatcher, name);
    const recorded: Record<string, unknown[]> = {};
    // But for the pings with which we see that the honest host goes on.
    recorded.jobs = await db.query("SELECT * FROM jobs WHERE type <> 'ping' OR id = ?", [foreign.job]);
    recorded.tasks = await db.query("SELECT * FROM tasks WHERE type <> 'ping' OR id = ?", [foreign.id]);
    recorded.events = await db.query('SELECT * FROM task_events WHERE task_id = ?', [foreign.id]);
    recorded.packages = await db.query('SELECT * FROM packages');
    recorded.hosts = await db.query('SELECT id, registered_at, version, boot, platform FROM hosts');
    return {
      ...{ queues, exchanges, bindings, policies, permissions, topics, held, recorded },
      chunks: (await stream.read()).filter((index) => typeof index === 'number'), // the others say where reading ended
    };
  }

  const send = (exchange: string, key: string, body: object | Buffer = {}, options: Properties = {}) => {
    return (channel: ConfirmChannel) =>
      void channel.publish(exchange, key, Buffer.isBuffer(body) ? body : encode(body), {
        messageId: uuidv7(),
        ...(options as Options.Publish),
      });
  };

  type Attack = [what: string, attempt: (channel: ConfirmChannel) => unknown, refusal?: number];

  /** What neither a host nor an operator may do. */
  const anybodys = (): Attack[] => {
    const [away, stolen, sha256] = [hostQueue(id('away')), hostQueue(id('stolen')), stream.sha256];
    const shared = Object.values(QUEUE);
    const read = (queue: string): Attack[] => [
      [`consume ${queue}`, (c) => c.consume(queue, () => undefined)],
      [`get from ${queue}`, (c) => c.get(queue)],
    ];
    const everyQueue = [...shared, away];
    return [
      ...everyQueue.flatMap(read),
      ...[away, stolen, streamQueue(sha256), ...shared].map(
        (q): Attack => [`delete ${q}`, (c) => c.deleteQueue(q)],
      ),
      ...everyQueue.map((queue): Attack => [`purge ${queue}`, (c) => c.purgeQueue(queue)]),
      ['publish an order', send(EXCHANGE.task, id('away'))],
      ['publish an order for itself', send(EXCHANGE.task, id('stolen'))],
      ['publish a chunk', send(EXCHANGE.package, sha256)],
      ...[...everyQueue, `${REPLY_QUEUE}.of.another`, 'no-such-queue'].map((queue): Attack => {
        return [`publish to the default exchange, into ${queue}`, send('', queue)];
      }),
      ['publish to amq.topic', send('amq.topic', upKey('result', id('honest')))],
      ['declare a queue', (c) => c.assertQueue('mega.mine')],
      ['declare a queue without a name', (c) => c.assertQueue('', { exclusive: true })],
      ['declare a queue of a host that is to come', (c) => c.assertQueue(hostQueue('to-come'))],
      ['declare an exchange', (c) => c.assertExchange('mega.mine', 'fanout')],
      ...Object.values(EXCHANGE).map((e): Attack => [`delete ${e}`, (c) => c.deleteExchange(e)]),
      ...everyQueue.map(
        (q): Attack => [`bind ${q} to orders`, (c) => c.bindQueue(q, EXCHANGE.task, id('honest'))],
      ),
      ['bind its own queue to orders', (c) => c.bindQueue(stolen, EXCHANGE.task, id('honest'))],
      ['bind its own queue to results', (c) => c.bindQueue(stolen, EXCHANGE.up, 'result.*')],
      ['unbind orders', (c) => c.unbindQueue(away, EXCHANGE.task, id('away'))],
      ['unbind results', (c) => c.unbindQueue(QUEUE.results, EXCHANGE.up, 'result.*')],
      ['bind orders to packages', (c) => c.bindExchange(EXCHANGE.package, EXCHANGE.task, '')],
      ...(['result', 'event', 'log', 'call'] as const).flatMap((kind): Attack[] => [
        [`speak as another host: ${kind}`, send(EXCHANGE.up, upKey(kind, id('honest')))],
        [`speak as a dispatcher: ${kind}`, send(EXCHANGE.up, upKey(kind, dispatcher.user))],
      ]),
      ['speak under a key without a name', send(EXCHANGE.up, 'result')],
      ['speak under everybody’s key', send(EXCHANGE.up, 'result.*')],
    ];
  };

  const hosts = (): Attack[] => {
    const key = upKey('result', id('stolen'));
    return [
      ['call as an operator', send(EXCHANGE.up, upKey('call', logins.operatorUser))],
      ['spoof another host’s user-id', send(EXCHANGE.up, key, {}, { userId: id('honest') }), UNMET],
      ['spoof the dispatcher’s user-id', send(EXCHANGE.up, key, {}, { userId: dispatcher.user }), UNMET],
      ['purge a stream', (c) => c.purgeQueue(streamQueue(stream.sha256)), 540],
    ];
  };

  const operators = (): Attack[] => [
    ...['away', 'honest', 'stolen'].flatMap((name): Attack[] => [
      [`read the queue of ${name}`, (c) => c.get(hostQueue(id(name)))],
    ]),
    ['read a package’s stream', (c) => c.consume(streamQueue(stream.sha256), () => undefined)],
    ['call as a host', send(EXCHANGE.up, upKey('call', id('honest')))],
    ['call as another operator', send(EXCHANGE.up, upKey('call', 'op_another'))],
    ['say a result under its own name', send(EXCHANGE.up, upKey('result', logins.operatorUser))],
    [
      'spoof a host’s user-id',
      send(EXCHANGE.up, upKey('call', logins.operatorUser), {}, { userId: id('honest') }),
      UNMET,
    ],
  ];

  for (const [name, who, attacks] of [
    ['cannot, as a host, read, publish, declare, delete, purge or bind what is not its own', 'host', hosts],
    [
      'cannot, as an operator, read, publish, declare, delete, purge or bind what is not its own',
      'operator',
      operators,
    ],
  ] as const) {
    test(name, async () => {
      const earlier = await standing();
      const wrong: string[] = [];
      await using intruder = await Intruder.login(logins[who]);
      for (const [what, attempt, refusal = REFUSED] of [...anybodys(), ...attacks()]) {
        const outcome = await intruder.tries(attempt);
        if (outcome !== refusal) wrong.push(`${what}: ${outcome}, not ${refusal}`);
      }
      assert.deepEqual(wrong, []);
      assert.deepEqual(await standing(), earlier);
      await pinged();
    });
  }

  /** What the broker takes, since it goes where it may go, and the dispatchers must see through. */
  const say = (user: string, kind: UpKind, body: object | Buffer, options: Properties = {}) =>
    send(EXCHANGE.up, upKey(kind, user), body, { userId: user, ...options });

  /** Does this, and waits until the dispatchers have put `parked` messages of it aside; why. */
  async function puttingAside(parked: number, attempts: ((channel: ConfirmChannel) => unknown)[]) {
    const earlier = await standing();
    await using intruder = await Intruder.login(logins.host);
    for (const attempt of attempts) assert.equal(await intruder.tries(attempt), 'done');
    const dead = await takeDead(dispatcher, parked);
    await pinged(); // and so what came before it has been read
    return { dead, earlier, unchanged: async () => assert.deepEqual(await standing(), earlier) };
  }

  /** Words of a host about a task of the honest one, or of another. */
  const wordsOf = (host: string, task = foreign.id): [UpKind, object][] => {
    const about = { task, host, at: Date.now() };
    const proof = { nonce: 'x', boot: randomUUID(), version: '6.6.6' };
    return [
      ['result', { kind: 'result', ...about, seq: 900, state: 'failed', reason: 'false', running: '6.6.6' }],
      [
        'event',
        { kind: 'progress', ...about, seq: 901, state: 'running', phase: 'completed', reason: 'false' },
      ],
      ['event', { kind: 'answer', task, host, proof }],
      ['event', { kind: 'heartbeat', host, boot: proof.boot, version: '6.6.6', at: Date.now() }],
      ['event', { kind: 'heartbeat', host, boot: proof.boot, version: '6.6.6', at: Date.now() }],
    ];
  };

  test('is not believed without a user-id', async () => {
    const own = id('stolen');
    const nameless = { userId: undefined };
    const words = [...wordsOf(id('honest')), ...wordsOf(own)];
    const call = say(own, 'call', { fn: 'get_all_funcs', args: {} }, { ...nameless, replyTo: REPLY_QUEUE });
    const attempts = [
      ...words.map(([kind, body]) => say(own, kind, body, nameless)),
      async (channel: ConfirmChannel) => {
        await channel.consume(REPLY_QUEUE, () => assert.fail('an answer'), { noAck: true });
        call(channel);
      },
    ];
    const { dead, unchanged } = await puttingAside(attempts.length, attempts);
    for (const { sender, reason } of dead) {
      assert.equal(sender, 'unknown');
      assert.match(reason, /an unnamed user speaks as|"" is neither a host nor/);
    }
    await unchanged();
  });

  test('is not believed when its words name another host', async () => {
    const words = wordsOf(id('honest'));
    const attempts = words.map(([kind, body]) => say(id('stolen'), kind, body));
    const { dead, unchanged } = await puttingAside(attempts.length, attempts);
    for (const { sender, reason } of dead) {
      assert.equal(sender, id('stolen'));
      assert.match(reason, new RegExp(`${id('stolen')} speaks as ${id('honest')}`));
    }
    await unchanged();
  });

  test('gains nothing by sending copies under the keys of others', async () => {
    const keys = [upKey('result', id('honest')), upKey('call', logins.operatorUser)];
    const [[, result]] = wordsOf(id('honest')) as [[UpKind, object]];
    const call = { fn: 'del_server', args: { host: id('honest') } };
    const attempts = [result, call].map((body) =>
      say(id('stolen'), 'event', body, { CC: keys, replyTo: 'x' }),
    );
    const { dead, unchanged } = await puttingAside(6, attempts); // each under its own key and those two
    for (const { sender } of dead) assert.equal(sender, id('stolen'));
    await unchanged();
  });

  test('changes no task of another host by speaking of it in its own name', async () => {
    const words = wordsOf(id('stolen')).slice(0, 3);
    const attempts = words.map(([kind, body]) => say(id('stolen'), kind, body));
    await (await puttingAside(0, attempts)).unchanged();
  });

  test('cannot have an answer sent to anybody else', async () => {
    const call = { fn: 'get_all_funcs', args: {} };
    const places = [QUEUE.results, QUEUE.api, hostQueue(id('away')), hostQueue(id('honest')), undefined];
    const attempts = places.map((replyTo) => say(id('stolen'), 'call', call, { replyTo }));
    const { dead, unchanged } = await puttingAside(attempts.length, attempts);
    for (const { reason } of dead) assert.match(reason, /an answer goes to the caller alone|needs reply-to/);
    await unchanged();
  });

  test('cannot stop the dispatchers with what is too large, too many or too odd', async () => {
    const own = id('stolen');
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`header-${i}`, 'x']));
    const odd = { __proto__: null, 'x-stream-offset': -1, constructor: 'x', 'x-death': [{ count: -1 }] };
    const deep = Buffer.from(`{"v":1,"kind":"result","output":${'['.repeat(400_000)}${']'.repeat(400_000)}}`);
    const bodies: [Buffer | object, Properties][] = [
      [Buffer.alloc(MAX_BODY_BYTES + 1, '{'), {}],
      [Buffer.alloc(8 << 20, 0x20), {}],
      [Buffer.alloc(0), {}],
      [Buffer.from([0xff, 0xfe, 0]), {}],
      [deep, {}],
      [{}, { headers: many }],
      [{}, { headers: odd, type: 'x'.repeat(255), messageId: '\u0000'.repeat(255), correlationId: "'; --" }],
      [{}, { contentEncoding: 'gzip', contentType: 'x'.repeat(255), priority: 255, timestamp: 2 ** 52 }],
    ];
    const kinds = ['result', 'event', 'call'] as const;
    const attempts = bodies.flatMap(([body, options]) => kinds.map((kind) => say(own, kind, body, options)));
    const { dead, unchanged } = await puttingAside(attempts.length, attempts);
    for (const { sender, body } of dead) {
      assert.equal(sender, own);
      assert.ok(body.length <= 64 << 10, `${body.length} bytes were kept`);
    }
    await unchanged();
  });

  test('cannot stop the dispatchers with headers that are nested too deep to read', async () => {
    await using intruder = await Intruder.login(logins.host);
    for (const kind of ['result', 'event', 'call'] as const) {
      const options = { userId: intruder.user, messageId: uuidv7() };
      const place: [string, string] = [EXCHANGE.up, upKey(kind, intruder.user)];
      assert.equal(await publishNested(intruder, place, encode({}), options), 'done');
    }
    const dead = await takeDead(dispatcher, 3);
    for (const { sender } of dead) assert.equal(sender, intruder.user);
    await pinged();
  });

  test('opens no more connections and channels than a host may', async () => {
    const { 'max-connections': connections, 'max-channels': channels } = HOST_LIMITS;
    await using all = new AsyncDisposableStack();
    for (let i = 0; i < connections; i++) all.use(await Intruder.login(logins.host));
    await assert.rejects(Intruder.login(logins.host), /ConnectionClose/);
    await all.disposeAsync();
    await using intruder = await Intruder.login(logins.host);
    for (let i = 0; i < channels; i++) await intruder.model.createChannel();
    const refused = once(intruder.connection, 'error');
    intruder.model.createChannel().catch(() => undefined);
    const [error] = (await refused) as [Error];
    assert.match(error.message, /number of channels .* reached the maximum/);
    await pinged();
  });

  test('does not read along with an agent that reads its queue', async () => {
    await using agent = await Intruder.login(logins.host);
    const channel = await agent.model.createChannel();
    await channel.consume(hostQueue(id('stolen')), () => undefined, { exclusive: true });
    await using intruder = await Intruder.login(logins.host);
    for (const exclusive of [true, false]) {
      const consume = (c: ConfirmChannel) =>
        c.consume(hostQueue(id('stolen')), () => undefined, { exclusive });
      assert.equal(await intruder.tries(consume), REFUSED);
    }
  });

  test('learns of another’s queue no more than that it is there, and how long it is', async () => {
    await using intruder = await Intruder.login(logins.host);
    let seen: object = {};
    const look = async (channel: ConfirmChannel) => {
      seen = await channel.checkQueue(hostQueue(id('away')));
    };
    assert.equal(await intruder.tries(look), 'done');
    assert.deepEqual({ ...seen }, { queue: hostQueue(id('away')), messageCount: 1, consumerCount: 0 });
  });

  test('is let in nowhere by the management page', async () => {
    for (const login of [logins.host, logins.operator]) {
      const { username, password } = new URL(login);
      const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
      for (const path of ['whoami', 'overview', 'users', 'definitions', `queues/${world().name}`]) {
        const url = new URL(`/api/${path}`, world().servers.rabbitmq.managementUrl);
        url.username = '';
        url.password = '';
        const { status } = await fetch(url, { headers: { authorization } });
        assert.equal(status, 401, `${username}: ${path}`);
      }
    }
  });

  test('calls no function that is not for it', async () => {
    const earlier = await standing();
    for (const [login, role] of [
      [logins.host, 'agent'],
      [logins.operator, 'admin'],
    ] as const) {
      await using sender = await openSender({ broker: login });
      const foreignFunctions = [...functions.values()].filter((one) => !one.callers.includes(role));
      assert.ok(foreignFunctions.length > 0);
      for (const { name } of foreignFunctions) {
        await assert.rejects(
          sender.call(name, { host: id('honest') }),
          { code: 'refused' },
          `${role}: ${name}`,
        );
      }
      await assert.rejects(sender.call('constructor'), { code: 'unknown_function' });
    }
    assert.deepEqual(await standing(), earlier);
  });

  test('sees no task of another host, and upgrades none but itself', async () => {
    await using sender = await openSender({ broker: logins.host });
    await assert.rejects(sender.call('get_task', { id: foreign.id }), { code: 'unknown_task' });
    await assert.rejects(sender.call('get_task', { id: foreign.id, host: id('honest') }), {
      code: 'bad_argument',
    });
    for (const on of [[id('honest')], ['all']]) {
      const { job } = await sender.call<{ job: string }>('client_upgrade', { to: '1.0.0', on });
      assert.deepEqual([...(await tasksOf(world(), job)).keys()], [id('stolen')]);
    }
    await pinged();
  });
});
