import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TlsOptions } from 'node:tls';
import { giveCertificate } from '../dev/servers/certificate.ts';
import { type MariaDb, type RabbitMq, startMariaDb, startRabbitMq } from '../dev/servers.ts';
import type { AgentProcess } from '../dev/world/agent.ts';
import { askBroker } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import { World } from '../dev/world/world.ts';
import { makeAuthority, makeServerPair, openAuthority, type Pair } from '../src/cli/certs/authority.ts';
import { Broker } from '../src/lib/broker.ts';
import { conn } from '../src/lib/conn.ts';
import { codeOf, describe as told } from '../src/lib/errors.ts';
import { Management } from '../src/lib/management.ts';
import { readCa } from '../src/lib/secure.ts';
import { scratch } from './support/cli.ts';
import { joinWith, Machines } from './support/join.ts';
import { withoutOwnServers } from './support/own.ts';
import { Person } from './support/people.ts';
import { argumentsFor, behindTls } from './support/tls.ts';
import { ended, told as endOf, upgrade } from './support/world.ts';

/** With servers of its own, which have listeners for TLS beside the plain ones; those of a user have none. */
describe('over TLS', { skip: withoutOwnServers() }, () => {
  const folder = '.mega/test';
  const opened = new AsyncDisposableStack();
  let rabbitmq: RabbitMq;
  let mariadb: MariaDb;
  /** By which the servers are verified, and another, in which they are not. */
  let ca: string;
  let other: Pair;

  before(async () => {
    const [broker, database] = await Promise.all([startRabbitMq({ folder }), startMariaDb({ folder })]);
    rabbitmq = opened.use(broker);
    mariadb = opened.use(database);
    ca = readCa(rabbitmq.tls!.ca);
    other = await makeAuthority(90);
  });
  after(() => opened.disposeAsync());

  /** Of the administrator, on any port. */
  const url = (scheme: string, port: number) => {
    const { username, password } = new URL(rabbitmq.managementUrl);
    return `${scheme}://${username}:${password}@127.0.0.1:${port}/`;
  };
  const secureUrl = () => url('amqps', rabbitmq.tls!.port);

  describe('a fleet', () => {
    const opened = new AsyncDisposableStack();
    let world: World;
    let agent: AgentProcess;

    after(() => opened.disposeAsync());
    const machines = new Machines(() => world);

    const inDatabase = async (statement: string) => {
      await using db = conn(`${mariadb.url}/?tls=on`, { connections: 1, ca });
      await db.run(statement);
    };
    const pinged = () => world.mega('ping', '--on', agent.id).catch(() => undefined);

    before(async () => {
      const servers = { rabbitmq, mariadb, external: false, [Symbol.asyncDispose]: async () => {} };
      world = opened.use(await World.open({ servers, folder, tls: true }));
      await inDatabase('SET GLOBAL require_secure_transport = ON');
      opened.defer(() => inDatabase('SET GLOBAL require_secure_transport = OFF'));
      await world.startDispatcher();
      agent = (await world.addFleet([`${world.name}-1`], '1.0.0'))[0]!;
    });

    test('speaks nothing else: agent, dispatcher and command line, to a database that takes nothing else', async () => {
      assert.match((await pinged()) ?? '', /succeeded/);
      const shown = await until('all connections to be shown', async () => {
        const all = await askBroker<{ ssl?: boolean; user: string }[]>(world, 'GET', 'connections');
        const users = new Set(all.map(({ user }) => user));
        return users.has(agent.id) && users.has(`mega_${world.name}`) ? all : undefined;
      });
      assert.deepEqual([...new Set(shown.map(({ ssl }) => ssl))], [true]);
    });

    test('gives a new user the certificate of its CA along with the configuration', async () => {
      await using alice = await Person.add(world, 'alice', 'viewer');
      assert.equal(readFileSync(alice.config.replace(/json$/, 'ca.crt'), 'utf8'), ca);
      const { code, err } = await alice.mega('host', 'list');
      assert.equal(code, 0, err);
    });

    test('is told when its database takes nothing but TLS', async () => {
      await using db = conn(mariadb.url, { connections: 1 });
      await assert.rejects(db.one('SELECT 1'), {
        code: 'database_refused',
        message: /over TLS only \(\?tls=on/,
      });
    });

    test('comes back by itself after its broker was killed', async () => {
      await rabbitmq.kill();
      await agent.untilLogged('no broker listens there');
      await rabbitmq.start();
      assert.match(await until('a ping to be answered', pinged), /succeeded/);
    });

    test('lets a machine join with a token that carries the CA, and speak nothing else from its first word', async () => {
      const machine = await machines.bare('joins');
      const { code, err } = await joinWith(machine, (await machines.token()).token);
      assert.equal(code, 0, err);
      const { broker, ca: file, allowPlain } = JSON.parse(readFileSync(machine.home.config, 'utf8'));
      assert.match(broker, /^amqps:/);
      assert.deepEqual([file, allowPlain], ['ca.crt', undefined]);
      await machine.start();
      await world.untilOnline([machine.id]);
      assert.match((await world.mega('ping', '--on', machine.id)) ?? '', /succeeded/);
    });

    test('is upgraded, package and all, and the new release trusts what the old one did', async () => {
      await world.publish('1.1.0');
      const tasks = await ended(world, await upgrade(world, '1.1.0', [agent.id]));
      assert.equal(endOf(tasks.get(agent.id)), 'succeeded completed 1.1.0');
    });

    test('goes on with new certificates, and its dispatcher tells which of them end soon', async () => {
      for (const one of [rabbitmq.tls!.ca, mariadb.ca!]) await giveCertificate(dirname(one), 10);
      appendFileSync(join(world.folder, 'ca.crt'), (await makeAuthority(20)).certificate);
      await rabbitmq.stop();
      await rabbitmq.start();
      await inDatabase('FLUSH SSL');
      const logFile = join(world.folder, 'warned.log');
      await world.spawnDispatcher(logFile);
      const log = () => readFileSync(logFile, 'utf8');
      await until('the dispatcher to warn', () => /of the database expires in 9 days/.test(log()));
      assert.match(log(), /"level":"warn".*the certificate of the broker \(localhost\) expires in 9 days/);
      assert.match(
        log(),
        /"level":"warn".*the certificate of the CA \(mega private CA \w+\) expires in 19 days/,
      );
      assert.equal(log().match(/expires in/g)?.length, 3);
      assert.match(await until('a ping to be answered', pinged), /succeeded/);
    });
  });

  describe('a broker', () => {
    /** What stands in the way, which must not name the password. */
    async function refusal(target: string, trusted?: string): Promise<string> {
      await using broker = await Broker.start({ url: target, ca: trusted, name: 'test', reconnectMs: 100 });
      const error = await broker.ready(2_000).then(
        () => assert.fail(`connected to ${target}`),
        (cause: unknown) => cause,
      );
      assert.equal(codeOf(error), 'broker_unavailable');
      const { password } = new URL(rabbitmq.managementUrl);
      assert.ok(!told(error).includes(password) && !told(error).includes('\n'), told(error));
      return told(error);
    }

    /** The real one behind somebody who shows such a certificate. */
    async function refusalBehind(names: string[], days: number, options: TlsOptions = {}, trusted = other) {
      const pair = await makeServerPair(openAuthority(other), names, days);
      await using between = await behindTls(rabbitmq.amqpPort, pair, options);
      const text = await refusal(url('amqps', between.port), trusted.certificate);
      assert.equal(between.heard(), 0, 'it was told nothing');
      return text;
    }

    test('is let in by the right CA, by name and by address', async () => {
      for (const target of [secureUrl(), secureUrl().replace('127.0.0.1', 'localhost')]) {
        await using broker = await Broker.start({ url: target, ca, name: 'test' });
        await broker.ready(10_000);
        assert.equal(broker.certificate?.checkIP('127.0.0.1'), '127.0.0.1');
      }
    });

    test('whose CA is not known, or another one, is refused, and the remedy is told', async () => {
      for (const trusted of [undefined, other.certificate]) {
        assert.match(
          await refusal(secureUrl(), trusted),
          /not made by a CA that we trust: name the right CA's/,
        );
      }
    });

    test('with the certificate of another name is refused', async () => {
      const text = await refusalBehind(['rabbit.example.org'], 9);
      assert.match(text, /certificate of the broker is for another name.*127\.0\.0\.1/);
    });

    test('whose certificate has expired is refused', async () => {
      assert.match(await refusalBehind(['127.0.0.1'], -0.5), /certificate of the broker has expired/);
    });

    test('behind a man in the middle with a CA of his own is refused before he hears a word', async () => {
      const ours = { certificate: ca, key: '' };
      const text = await refusalBehind(['127.0.0.1', 'localhost'], 9, {}, ours);
      assert.match(text, /somebody may be in between/);
    });

    test('that wants a certificate of us is told what to set, whichever version it speaks', async () => {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const text = await refusalBehind(['127.0.0.1'], 9, { requestCert: true, maxVersion });
        assert.match(text, /wants a certificate of its clients.*verify_none/);
      }
    });

    test('spoken to with TLS on its plain port, or the other way round, is told of', async () => {
      assert.match(await refusal(url('amqps', rabbitmq.amqpPort), ca), /speaks no TLS there: .*plain port/);
      assert.match(await refusal(url('amqp', rabbitmq.tls!.port)), /is this its port for TLS \(then amqps/);
    });

    test('that stands still is noticed by missing heartbeats, and found again', async () => {
      const options = { url: secureUrl(), ca, name: 'test', heartbeatSeconds: 1, reconnectMs: 100 };
      await using broker = await Broker.start(options);
      await broker.ready(10_000);
      let reason = '';
      broker.once('disconnected', (error: Error) => {
        reason = told(error);
      });
      rabbitmq.pause();
      await until('the silence to be noticed', () => reason, { deadlineMs: 20_000 });
      rabbitmq.resume();
      assert.match(reason, /[Hh]eartbeat/);
      await broker.ready(30_000);
    });

    test('takes thousands of messages that were written together, in their order', async () => {
      await using broker = await Broker.start({ url: secureUrl(), ca, name: 'test' });
      await broker.ready(10_000);
      const queue = 'tls.many';
      await broker.withChannel((channel) => channel.assertQueue(queue, { durable: false }));
      const bodies = Array.from({ length: 3_000 }, (_, i) => `${i} ${'x'.repeat(i % 700)}`);
      const about = { exchange: '', key: queue, type: 'order', transient: true, mandatory: true };
      const sent = bodies.map((body, i) =>
        broker.publish({ ...about, messageId: `m${i}`, body: Buffer.from(body) }),
      );
      assert.deepEqual([...new Set(await Promise.all(sent))], ['confirmed']);
      await broker.withChannel(async (channel) => {
        for (const body of bodies) {
          const message = await channel.get(queue, { noAck: true });
          assert.ok(message, `${body} is missing`);
          assert.equal(message.content.toString(), body);
        }
        await channel.deleteQueue(queue);
      });
    });
  });

  describe("the broker's administration", () => {
    test('is reached over https with the right CA alone', async () => {
      const { managementUrl } = rabbitmq.tls!;
      assert.equal(await new Management(managementUrl, '/', { ca }).hasUser('admin'), true);
      for (const trusted of [undefined, other.certificate]) {
        const refused = new Management(managementUrl, '/', { ca: trusted }).hasUser('admin');
        await assert.rejects(refused, {
          code: 'management_unavailable',
          message: /certificate of the RabbitMQ management API at https:.* not made by a CA that we trust/,
        });
      }
    });

    test('says which of http and https it is', async () => {
      const plain = new Management(rabbitmq.tls!.managementUrl.replace('https:', 'http:'), '/', { ca });
      await assert.rejects(plain.hasUser('admin'), { message: /speaks nothing but TLS there: use https/ });
      const secure = new Management(rabbitmq.managementUrl.replace('http:', 'https:'), '/', { ca });
      await assert.rejects(secure.hasUser('admin'), { message: /speaks no TLS there/ });
    });
  });

  describe('a database', () => {
    const version = "SHOW SESSION STATUS LIKE 'Ssl_version'";
    async function speaks(
      tail: string,
      options: Parameters<typeof conn>[1] = {},
    ): Promise<string | undefined> {
      await using db = conn(`${mariadb.url}${tail}`, { connections: 1, timeoutMs: 5_000, ...options });
      return (await db.one<{ Value: string }>(version))?.Value;
    }

    test('is spoken to with TLS when asked for, by an option or by its URL, and plainly on loopback otherwise', async () => {
      assert.match((await speaks('/?tls=on', { ca })) ?? '', /^TLSv1\.[23]$/);
      assert.match((await speaks('/', { ca, tls: true })) ?? '', /^TLSv1\.[23]$/);
      assert.match((await speaks(`/?ca=${encodeURIComponent(mariadb.ca!)}`)) ?? '', /^TLSv1\.[23]$/);
      assert.equal(await speaks('/', { ca }), '');
    });

    test('whose CA is not known is refused before it has the password', async () => {
      const words = {
        code: 'database_unavailable',
        message: /certificate of the database .* not made by a CA/,
      };
      await assert.rejects(speaks('/?tls=on'), words);
      await assert.rejects(speaks('/?tls=on', { ca: other.certificate }), words);
    });

    test('with the certificate of another name or address is refused', async () => {
      const wrong = await makeServerPair(openAuthority(other), ['localhost', '127.0.0.2'], 9);
      using files = scratch();
      await using elsewhere = await startMariaDb({ folder, arguments: argumentsFor(files.path, wrong) });
      const at = (host: string) => `${elsewhere.url.replace('127.0.0.1', host)}/?tls=on`;
      await using byAddress = conn(at('127.0.0.1'), { connections: 1, ca: other.certificate });
      await assert.rejects(byAddress.one(version), { message: /is for another name/ });
      await using byName = conn(at('localhost'), { connections: 1, ca: other.certificate });
      assert.match((await byName.one<{ Value: string }>(version))?.Value ?? '', /^TLS/);
    });

    test('without TLS is not spoken to plainly instead', async () => {
      await using plain = await startMariaDb({ folder, arguments: ['--skip-ssl'] });
      await using db = conn(`${plain.url}/?tls=on`, { connections: 1, ca });
      await assert.rejects(db.one(version), { code: 'database_unavailable', message: /speaks no TLS there/ });
    });

    test('is given no parameter that we do not know', async () => {
      await assert.rejects(speaks('/?ssl-mode=REQUIRED'), {
        code: 'bad_argument',
        message: /"ssl-mode" is not/,
      });
      await assert.rejects(speaks('/?tls=perhaps'), { code: 'bad_argument' });
    });
  });
});
