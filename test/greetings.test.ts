import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { Greetings } from '../src/dispatcher/greetings.ts';
import { getHost, type HelloSaid, markHellos } from '../src/dispatcher/store/hosts.ts';
import { addJob } from '../src/dispatcher/store/jobs.ts';
import { addHost } from '../src/dispatcher/store/registered.ts';
import { type Conn, conn } from '../src/lib/conn.ts';
import { UnavailableError } from '../src/lib/errors.ts';
import { caller } from '../src/lib/sender.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { asHost } from './support/outage-once.ts';
import { useWorld } from './support/world.ts';

const helloOf = (host: string, about: Partial<HelloSaid> = {}): HelloSaid => {
  return { host, boot: randomUUID(), version: '1.0.0', platform: 'linux-x64', ...about };
};
/** The database takes it for no text of its own. */
const REFUSED = 'łinux';

describe('hosts that say hello', () => {
  const world = useWorld();
  let db: Conn;
  let commits = 0;
  let greetings: Greetings;

  before(() => {
    db = world().database();
    const transaction: Conn['transaction'] = (work) => {
      commits++;
      return db.transaction(work);
    };
    greetings = new Greetings({ ...db, transaction }, 5_000);
  });

  async function registered(...hosts: string[]): Promise<string[]> {
    for (const host of hosts) await addHost(db, host);
    return hosts;
  }

  test('together in their thousands cost a few commits, and each is answered after its own', async () => {
    const hosts = Array.from({ length: 2_000 }, (_, i) => `many-${i}`);
    await db.run('INSERT INTO hosts (id, registered_at) VALUES ?', [hosts.map((id) => [id, new Date()])]);
    const hellos = hosts.map((host, i) => helloOf(host, { version: `1.0.${i}` }));
    commits = 0;
    const answered = hellos.map(async (hello) => {
      await greetings.greet(hello);
      if (hello.host.endsWith('99')) assert.equal((await getHost(db, hello.host))?.boot, hello.boot);
    });
    await Promise.all(answered);
    assert.ok(commits <= 8, `${commits} commits`);
    const rows = await db.query<HelloSaid & { online: number }>(
      "SELECT id AS host, boot, version, platform FROM hosts WHERE online = 1 AND id LIKE 'many-%'",
    );
    const byHost = (a: HelloSaid, b: HelloSaid) => a.host.localeCompare(b.host);
    assert.deepEqual(rows.toSorted(byHost), hellos.toSorted(byHost));
  });

  test('are found by their key, however many are in the table', async () => {
    type Row = { table: string; type: string; rows: number };
    let plan: Row[] = [];
    const run: Conn['run'] = async (statement, params) => {
      plan = await db.query<Row>(`EXPLAIN ${statement}`, params);
      return plan.length;
    };
    await markHellos({ ...db, run }, [helloOf('many-1'), helloOf('many-2')]);
    const hosts = plan.find((row) => row.table === 'h');
    assert.ok(
      hosts && /^(range|eq_ref|ref|const)$/.test(hosts.type) && hosts.rows <= 2,
      JSON.stringify(plan),
    );
  });

  test('and are not registered are passed over, and not made', async () => {
    const [known] = await registered('known');
    const answers = [greetings.greet(helloOf('stranger')), greetings.greet(helloOf(known!))];
    assert.deepEqual(await Promise.all(answers), [[], []]);
    assert.equal(await getHost(db, 'stranger'), undefined);
    assert.equal((await getHost(db, known!))?.online, true);
  });

  test('in words that the database refuses fail alone, and keep none of the others from their answer', async () => {
    const hosts = await registered('good-a', 'bad', 'good-b');
    const told = hosts.map((host) =>
      greetings.greet(helloOf(host, host === 'bad' ? { platform: REFUSED } : {})),
    );
    const outcomes = (await Promise.allSettled(told)).map((one) => one.status);
    assert.deepEqual(outcomes, ['fulfilled', 'rejected', 'fulfilled']);
    assert.deepEqual(
      (await Promise.all(hosts.map((host) => getHost(db, host)))).map((row) => row?.online),
      [true, false, true],
    );
  });

  test('twice at once are answered twice, and run what they said last', async () => {
    const [twice] = await registered('twice');
    const [first, last] = [helloOf(twice!), helloOf(twice!, { version: '1.1.0' })];
    await Promise.all([greetings.greet(first), greetings.greet(last)]);
    const { boot, version } = (await getHost(db, twice!))!;
    assert.deepEqual({ boot, version }, { boot: last.boot, version: '1.1.0' });
  });

  test('hear of the tasks that are to be cancelled, each of its own', async () => {
    const hosts = await registered('cancels', 'cancels-too', 'works');
    const tasks = hosts.map((host) => {
      return { id: uuidv7(), host, args: {}, state: 'pending' as const, reason: null, fromVersion: null };
    });
    const job = { id: uuidv7(), type: 'noop', args: {}, target: 'all', by: 'test', callKey: uuidv7() };
    const limits = { timeoutMs: 60_000, deadlineMs: 600_000 };
    await db.transaction((tx) => addJob(tx, { ...job, ...limits, tasks }));
    const [a, b] = tasks.map((one) => one.id);
    await db.run("UPDATE tasks SET state = 'cancelling' WHERE id IN (?)", [[a!, b!]]);
    const told = await Promise.all(hosts.map((host) => greetings.greet(helloOf(host))));
    assert.deepEqual(told, [[a], [b], []]);
  });

  test('while the database is away are all told so at once, and may ask again', async () => {
    await using nowhere = conn('mysql://nobody:nothing@127.0.0.1:9/mega');
    const lost = new Greetings(nowhere, 5_000);
    const told = ['a', 'b', 'c'].map((host) => lost.greet(helloOf(host)));
    for (const one of await Promise.allSettled(told)) {
      assert.ok(one.status === 'rejected' && one.reason instanceof UnavailableError);
    }
    await assert.rejects(lost.greet(helloOf('a')), UnavailableError);
  });

  test('through the broker are answered beside one that is refused', async () => {
    const names = ['x', 'y', 'z'].map((letter) => `${world().name}-${letter}`);
    const said: Promise<{ time: number }>[] = [];
    await using opened = new AsyncDisposableStack();
    for (const name of names) {
      const host = opened.use(await asHost((await world().addHost(name, '1.0.0')).home));
      const { host: _, ...args } = helloOf(name, name.endsWith('y') ? { platform: REFUSED } : {});
      said.push(caller(host)<{ time: number }>('client_ping', args));
      said.at(-1)!.catch(() => undefined);
    }
    const [x, y, z] = await Promise.allSettled(said);
    assert.ok(x?.status === 'fulfilled' && Math.abs(x.value.time - Date.now()) < 60_000);
    assert.ok(y?.status === 'rejected');
    assert.ok(z?.status === 'fulfilled');
    const online = await Promise.all(names.map(async (name) => (await getHost(db, name))?.online));
    assert.deepEqual(online, [true, false, true]);
  });
});
