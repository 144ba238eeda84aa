import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { startServers } from '../dev/servers.ts';
import { until } from '../dev/world/until.ts';
import { makeAuthority } from '../src/cli/certs/authority.ts';
import { Absences } from '../src/dispatcher/alerts/absences.ts';
import { Mailer } from '../src/dispatcher/alerts/mailer.ts';
import { raiseAlert, raiseAlerts } from '../src/dispatcher/alerts/raise.ts';
import { Troubles } from '../src/dispatcher/alerts/troubles.ts';
import { warnOfEnds } from '../src/dispatcher/certificates.ts';
import type { Context } from '../src/dispatcher/context.ts';
import { type ListedAlert, listAlerts } from '../src/dispatcher/store/alerts.ts';
import { markGone } from '../src/dispatcher/store/hosts.ts';
import { openStore } from '../src/dispatcher/store/open.ts';
import { alertSettings } from '../src/lib/alert-settings.ts';
import { type Conn, conn } from '../src/lib/conn.ts';
import { UnavailableError } from '../src/lib/errors.ts';
import { get_host_name } from '../src/lib/utils.ts';

const OFFLINE_MS = 100;

/** The rooms of a dispatcher in this process, on a database of their own. */
describe('a dispatcher', () => {
  const opened = new AsyncDisposableStack();
  const name = `mega_t${randomBytes(4).toString('hex')}`;
  const logged: unknown[][] = [];
  let db: Conn;
  let doesBrokerTake = true;

  before(async () => {
    const servers = opened.use(await startServers({ folder: '.mega/test' }));
    const server = opened.use(conn(servers.mariadb.url, { connections: 1 }));
    opened.defer(async () => void (await server.run(`DROP DATABASE IF EXISTS ${name}`)));
    db = opened.use(await openStore(`${servers.mariadb.url}/${name}`));
  });
  after(() => opened.disposeAsync());
  beforeEach(async () => {
    await db.run('DELETE FROM alerts');
    logged.length = 0;
  });

  function contextOf(alerts: object = {}, more: object = {}): Context {
    const log = (...line: unknown[]) => void logged.push(line);
    const publish = () =>
      doesBrokerTake
        ? Promise.resolve('confirmed')
        : Promise.reject(new UnavailableError('broker_unavailable', 'blocked'));
    const settings = alertSettings.parse({ lostAfterMs: 500, troubleAfterMs: 500, ...alerts });
    const context = {
      ...{ id: randomUUID(), db, publisher: { publish }, consumer: { certificate: undefined } },
      ...{ logger: { info: log, warn: log, error: log } },
      config: { offlineAfterMs: OFFLINE_MS, alerts: settings },
      ...more,
    };
    return context as unknown as Context;
  }
  const all = (kind?: ListedAlert['kind']) => listAlerts(db, { kind, limit: 100 });
  const told = async (kind?: ListedAlert['kind']) => (await all(kind)).map((one) => one.about);

  describe('that watches its hosts', () => {
    const STEADY_MS = 60_000;

    async function silent(...hosts: string[]) {
      await db.run('DELETE FROM hosts');
      await db.run('INSERT INTO hosts (id, registered_at, online, boot, last_seen_at) VALUES ?', [
        hosts.map((id) => [id, new Date(), 0, `boot-of-${id}`, new Date(Date.now() - 60_000)]),
      ]);
    }
    const untilTold = (absences: Absences) =>
      until(
        'a lost host',
        async () => {
          await absences.step(STEADY_MS);
          return (await told('host_lost')).length > 0;
        },
        { pollMs: 20 },
      );

    test('takes no silence for a lost host while it was not listening for as long itself', async () => {
      await silent('a');
      const absences = new Absences(contextOf());
      const end = performance.now() + 3 * OFFLINE_MS;
      while (performance.now() < end) await absences.step(499);
      assert.deepEqual(await told(), []);
      await untilTold(absences);
      assert.deepEqual(await told(), ['a']);
    });

    test('nor while the broker takes no messages, until hosts had time to be heard again', async () => {
      await silent('a', 'b');
      const absences = new Absences(contextOf());
      doesBrokerTake = false;
      const end = performance.now() + 3 * OFFLINE_MS;
      while (performance.now() < end) await absences.step(STEADY_MS);
      assert.deepEqual(await told(), []);
      doesBrokerTake = true;
      await absences.step(STEADY_MS);
      assert.deepEqual(await told(), [], 'its alarm has only just ended');
      await db.run("UPDATE hosts SET online = 1, last_seen_at = UTC_TIMESTAMP(3) WHERE id = 'b'");
      await untilTold(absences);
      assert.deepEqual(await told(), ['a']);
    });

    test('tells of each lost host once, beside another dispatcher, and says why one was cut off', async () => {
      await silent('a', 'b', 'c');
      await db.run("UPDATE hosts SET cut_off_reason = '99 calls in 1 s' WHERE id = 'c'");
      const both = [new Absences(contextOf()), new Absences(contextOf())];
      await Promise.all(both.map(untilTold));
      await Promise.all(both.map((one) => one.step(STEADY_MS)));
      assert.deepEqual((await told()).toSorted(), ['a', 'b', 'c']);
      assert.match(
        (await all()).find((one) => one.about === 'c')!.text,
        /UTC; it was cut off: 99 calls in 1 s$/,
      );
      await db.run("UPDATE hosts SET online = 1 WHERE id <> 'c'");
      await Promise.all(both.map((one) => one.step(STEADY_MS)));
      assert.deepEqual((await told('host_back')).toSorted(), ['a', 'b']);
    });

    test('misses no host that said goodbye, unless it was heard again since', async () => {
      await silent('a', 'b');
      const gone = ['a', 'b'].map((host) => ({ host, boot: `boot-of-${host}` }));
      await db.transaction((tx) => markGone(tx, gone));
      await db.run(
        'UPDATE hosts SET last_seen_at = last_seen_at - INTERVAL 1 HOUR, left_at = left_at - INTERVAL 1 HOUR',
      );
      await db.run("UPDATE hosts SET last_seen_at = last_seen_at + INTERVAL 1 SECOND WHERE id = 'b'");
      await untilTold(new Absences(contextOf()));
      assert.deepEqual(await told(), ['b']);
    });
  });

  describe('that cannot do its work', () => {
    const failing = () => Promise.reject(new Error('no room at mysql://mega:hush@db'));

    test('has it told once it lasts, with the reason, and again when it is over', async () => {
      const context = contextOf();
      const troubles = new Troubles(context);
      const step = troubles.watch('publish', failing);
      await assert.rejects(step(), /no room/);
      assert.deepEqual(await told(), [], 'one failure is none');
      const [going] = await until('it to be told', async () => {
        await step().catch(() => undefined);
        return (await all())[0] && all();
      });
      assert.equal(going?.about, `${get_host_name()}, publish`);
      assert.match(going?.text ?? '', /^has not been done since .*: no room at mysql:\/\/mega:\*\*\*@db$/);
      await troubles.watch('publish', async () => undefined)();
      await until('its end to be told', async () =>
        (await all())[0]?.text.startsWith('is done again; it was not for'),
      );
      assert.equal((await all()).length, 1);
    });

    test('says so in its log alone while the database is away, and goes on', async () => {
      await using nowhere = conn('mysql://nobody:nothing@127.0.0.1:9/mega');
      const step = new Troubles(contextOf({}, { db: nowhere })).watch('publish', failing);
      await until('the log to tell', async () => {
        await step().catch(() => undefined);
        return logged.some(([, words]) => words === 'a trouble could not be told: no database');
      });
      assert.deepEqual(await told(), []);
    });
  });

  test('has it told that a certificate is about to expire, beside another dispatcher once', async () => {
    const { certificate } = await makeAuthority(9);
    const context = contextOf();
    const config = { ...context.config, ca: certificate };
    for (let i = 0; i < 2; i++) await warnOfEnds({ ...context, config });
    const [one, ...others] = await all('expiring');
    assert.deepEqual(others, []);
    assert.match(one!.text, /^the certificate of the CA .* expires in [89] days.*make another CA/);
  });

  test('without a mail server logs what it would tell, in few lines, and lists it', async () => {
    const hosts = Array.from({ length: 1_000 }, (_, i) => `db-${i}`);
    await raiseAlerts(
      db,
      hosts.map((about) => ({ kind: 'host_lost', about, text: 'silent' })),
    );
    await raiseAlert(db, { kind: 'job_paused', about: 'job-1', text: 'errors' });
    await new Mailer(contextOf()).step();
    const lines = logged as [{ alert: string; told: string[] }, string][];
    assert.deepEqual(lines.map(([, words]) => words).toSorted(), ['1 job paused', '1000 hosts lost']);
    assert.deepEqual(lines.map(([{ told: some }]) => some.length).toSorted(), [1, 20]);
    assert.ok((await all()).every((one) => one.mail === 'none'));
    await new Mailer(contextOf()).step();
    assert.equal(logged.length, 2);
  });

  test('stops soon beside a mail server that says nothing, and the mail waits for another try', async () => {
    await using server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const mail = { url, from: 'mega@example.org', to: ['ops@example.org'], timeoutMs: 5_000 };
    const context = contextOf({ gatherMs: 50, retryMs: 100 });
    const mailer = new Mailer({ ...context, config: { ...context.config, mail } });
    await raiseAlert(db, { kind: 'trouble', about: 'job-1', text: 'errors' });
    const reached = once(server, 'connection');
    const step = until('a try', async () => {
      await mailer.step();
      return (await all())[0]?.mailError;
    });
    await reached;
    const since = performance.now();
    await mailer[Symbol.asyncDispose]();
    assert.match(await step, /the dispatcher stopped while it sent/);
    assert.ok(performance.now() - since < 4_500);
    assert.equal((await all())[0]?.mail, 'waiting');
  });
});
