import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { startServers } from '../dev/servers.ts';
import type { AgentProcess } from '../dev/world/agent.ts';
import { askBroker } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import { World } from '../dev/world/world.ts';
import { encode } from '../src/lib/messages.ts';
import { type Outcome, run, start } from './support/cli.ts';
import { rewrite } from './support/orders.ts';
import { asHost, type Dead, say, takeDead } from './support/outage-once.ts';
import { Pieces, ProcessList, secretsIn, textsIn } from './support/secrets.ts';
import { dispatcherBroker } from './support/stream.ts';
import { ended, told, upgrade } from './support/world.ts';

/** Where secrets live; whoever else may read them there does not need them. */
const THEIR_PLACES = new RegExp(
  `^(${['(operator|dispatcher)\\.json', '.*\\.url', 'wrong/.*', '.*/state/identity\\.json', 'keys/.*', '.*\\.key', 'passphrase.*'].join('|')})$`,
);
/** Dies a moment after it has read its configuration, with a stack trace. */
const CRASHES_LATER = `
  if (process.argv[2] === 'run') setTimeout(() => { throw new Error('broken on purpose'); }, 50);
`;

/** A full run, with all that can go wrong; then every place is searched for every secret that was in play. */
describe('no secret, and no part of one, stands', () => {
  const opened = new AsyncDisposableStack();
  const processes = opened.use(new ProcessList());
  const outcomes: Outcome[] = [];
  const agents: AgentProcess[] = [];
  let world: World;
  let pieces: Pieces;
  /** Without hashes, which a database may keep. */
  let plain: Pieces;
  let dead: Dead[];

  before(async () => {
    const servers = opened.use(await startServers({ folder: '.mega/test' }));
    world = opened.use(await World.open({ servers, folder: '.mega/test' }));
    await world.startDispatcher();
    for (const version of ['1.0.0', '1.1.0']) await world.publish(version);
    await world.publish('1.2.0', CRASHES_LATER);
    agents.push(...(await world.addFleet([`${world.name}-a`, `${world.name}-b`], '1.0.0')));
    const ids = agents.map((one) => one.id);
    for (const task of (await ended(world, await upgrade(world, '1.1.0', ids))).values())
      assert.equal(told(task), 'succeeded completed 1.1.0');
    const crashed = (await ended(world, await upgrade(world, '1.2.0', [ids[0]!]))).get(ids[0]!);
    assert.equal(told(crashed), 'failed rolled_back 1.1.0');
    await agents[0]!.untilLogged('broken on purpose');
    await everyErrorOfConnections();
    await wrongCalls();
    await wrongIdentities(agents[1]!);
    for (const agent of agents) await agent.stop();
    const hashes = await askBroker<{ name: string; password_hash: string }[]>(world, 'GET', 'users');
    const ours = hashes.filter(({ name }) => name.includes(world.name)).map((one) => one.password_hash);
    const secrets = secretsIn(textsIn(world.folder));
    assert.ok(
      secrets.size >= 8 && ours.length >= 4,
      `only ${secrets.size} secrets and ${ours.length} hashes`,
    );
    pieces = new Pieces([...secrets, ...ours]);
    plain = new Pieces(secrets);
  });
  after(() => opened.disposeAsync());

  /** Runs these until they have said what is wrong, a few at a time. */
  async function tellsWhatIsWrong(cases: { content: string; args: string[] }[]): Promise<void> {
    const waiting = cases.entries();
    const work = async () => {
      for (const [i, { content, args }] of waiting) {
        const path = join(world.folder, 'wrong', `${i}-${args[0]}.json`);
        writeFileSync(path, content, { mode: 0o600 });
        const child = start([...args, '--config', path]);
        const told = () => child.exitCode !== null || child.text().err.includes('"warn"');
        await until(`${path} to be wrong`, told);
        child.kill();
        outcomes.push(child.text());
        assert.notEqual(child.text().err, '', path);
      }
    };
    await Promise.all([work(), work(), work()]);
  }

  /** Each server away, unknown, or refusing, with passwords of their own; and files that are no configuration. */
  async function everyErrorOfConnections(): Promise<void> {
    mkdirSync(join(world.folder, 'wrong'));
    const config = JSON.parse(textOf('dispatcher.json')) as Record<string, string>;
    const list = ['host', 'list', '--timeout', '3'];
    const cases = ['broker', 'database'].flatMap((key) =>
      [{}, { port: '1' }, { hostname: 'no-such-host.invalid' }, { username: 'nobody' }].flatMap((change) => {
        const url = new URL(config[key]!);
        Object.assign(url, { password: newPassword() }, change);
        const content = JSON.stringify({ ...config, [key]: url.href });
        const dispatcher = { content, args: ['dispatcher'] };
        return key === 'broker' ? [dispatcher, { content, args: list }] : [dispatcher];
      }),
    );
    const secret = newPassword();
    const contents = [
      `{ "broker": "amqp://a:${secret}@127.0.0.1/mega", "keys": { "online": "${secret}" `,
      `amqp://a:${secret}@127.0.0.1/mega`,
      `{ "broker": "amqp://a:${secret}@:x/" }`,
      `{ "broker": "http://a:${secret}@127.0.0.1/" }`,
      `{ "broker": ["amqp://a:${secret}@127.0.0.1/"] }`,
    ];
    for (const content of contents) cases.push({ content, args: list }, { content, args: ['dispatcher'] });
    writeFileSync(join(world.folder, 'wrong', 'secrets.json'), JSON.stringify({ secret }), { mode: 0o600 });
    await tellsWhatIsWrong(cases);
  }

  const newPassword = () => randomBytes(16).toString('hex');
  const textOf = (name: string) => readFileSync(join(world.folder, name), 'utf8');

  /** Calls that are refused, messages that are put aside, and setups that fail. */
  async function wrongCalls(): Promise<void> {
    const call = (fn: string, args: object) => [
      'api',
      'call',
      fn,
      JSON.stringify(args),
      '--config',
      world.operatorConfig,
    ];
    outcomes.push(await run(call('add_server', { host: 'x', passwordHash: 'not a hash' })));
    outcomes.push(await run(call('client_ping', {})));
    await using host = await asHost(agents[1]!.home);
    await say(host, 'result', Buffer.from('not JSON'));
    await say(host, 'call', encode({ fn: 'get_task', args: { id: 1 } }), 'mega.results');
    await using dispatcher = await dispatcherBroker(world);
    dead = await takeDead(dispatcher, 2);
    const folder = join(world.folder, 'wrong');
    const url = (name: string, text: string) => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const admin = Object.assign(new URL(world.servers.rabbitmq.managementUrl), { password: newPassword() });
    const files = ['--management-url-file', url('a.url', admin.href), '--database-url-file'];
    outcomes.push(await run(['setup', ...files, url('d.url', world.databaseUrl), '--out', folder]));
    const broken = url('e.url', `mysql//root:${newPassword()}@127.0.0.1`);
    outcomes.push(await run(['setup', ...files, broken, '--out', folder]));
  }

  /** An agent whom the broker refuses, one whose identity is torn, and what says so to an operator. */
  async function wrongIdentities(agent: AgentProcess): Promise<void> {
    await agent.stop();
    const before = rewrite(agent.home.identity, () => ({ secret: newPassword() }));
    await agent.start();
    await agent.untilLogged('the broker refuses the user or the password');
    await agent.stop();
    writeFileSync(agent.home.identity, before.replace('"secret":"', '"secret":')); // JSON's error quotes what it met
    await agent.start();
    await agent.untilLogged(/identity\.json/);
    await agent.stop();
    const again = ['--home', agent.home.root, '--package', await world.build('1.0.0')];
    outcomes.push(await run(['host', 'add', agent.id, ...again, '--config', world.operatorConfig]));
    writeFileSync(agent.home.identity, before);
  }

  const nowhere = (places: Iterable<[place: string, text: string]>, which = pieces) => {
    const found = [...places].flatMap(([place, text]) =>
      which.in(text).map((secret) => `${secret} in ${place}`),
    );
    assert.deepEqual(found, []);
  };

  test('in any log, or in any other file that is not theirs', () => {
    const files = textsIn(world.folder).map(({ path, text }): [string, string] => [
      relative(world.folder, path),
      text,
    ]);
    const others = files.filter(([path]) => !THEIR_PLACES.test(path));
    assert.ok(others.some(([path]) => /^dispatcher-.*\.log$/.test(path)));
    assert.ok(others.some(([path, text]) => /mega_client\.log$/.test(path) && text.includes('connected')));
    assert.ok(others.some(([path, text]) => /loader\.log$/.test(path) && text.includes('broken on purpose')));
    nowhere(others);
  });

  test('in a file of theirs that others may read', () => {
    const theirs = textsIn(world.folder).filter(({ path, text }) => {
      return THEIR_PLACES.test(relative(world.folder, path)) && pieces.in(text).length > 0;
    });
    assert.ok(theirs.length >= 6);
    for (const { path } of theirs) assert.equal(statSync(path).mode & 0o077, 0, path);
  });

  test('on any command line', () => {
    const ours = [...processes.seen].filter((one) => one.includes(world.folder));
    assert.ok(ours.some((one) => one.includes('setup')) && ours.some((one) => one.includes('dispatcher')));
    nowhere([...processes.seen].map((line) => [line.slice(0, 80), line]));
  });

  test('in what a command or a process says of what is wrong', () => {
    assert.ok(outcomes.length > 20 && outcomes.every(({ err }) => err !== ''));
    nowhere(outcomes.map(({ out, err }) => [err.slice(0, 200), out + err]));
  });

  test('in a message that was put aside', () => {
    nowhere(dead.map(({ reason, body }) => [reason, reason + body.toString('latin1')]));
  });

  test('in the database', async () => {
    const db = world.database();
    const tables = await db.query<{ name: string }>(
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
    );
    for (const { name } of tables.filter((one) => one.name !== 'package_chunks')) {
      const rows = await db.query(`SELECT * FROM ${name}`);
      nowhere(
        rows.map((row) => [`table ${name}`, JSON.stringify(row)]),
        plain,
      );
    }
  });

  test('in the journal of an agent', () => {
    for (const agent of agents) {
      const texts = agent.readJournal((journal) => wordsOf(journal));
      assert.ok(texts.length > 0);
      nowhere(texts.map((text) => [`the journal of ${agent.id}`, text]));
    }
  });
});

function wordsOf(journal: DatabaseSync): string[] {
  const tables = journal.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  return tables
    .flatMap(({ name }) => journal.prepare(`SELECT * FROM ${name}`).all())
    .map((row) => JSON.stringify(row));
}

test('a piece of a secret is found in the middle of a text, and a word is not one', () => {
  const pieces = new Pieces(['0123456789abcdefghij']);
  assert.deepEqual(pieces.in('{"reason":"...456789abcdef..."}'), ['0123…']);
  assert.deepEqual(pieces.in('012345678 9abc'), []);
});

test('secrets are known by where they stand', () => {
  const json = {
    broker: 'amqp://a:password-of-broker@127.0.0.1/mega',
    keys: { online: 'key-that-is-online', orders: { k: 'key-of-the-orders' } },
    token: 'token-of-somebody',
    name: 'no-secret-at-all',
  };
  const pem = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n';
  const files = [
    { path: 'a.json', text: JSON.stringify(json) },
    { path: 'b', text: pem },
    {
      path: 'root.json',
      text: JSON.stringify({ signed: { keys: { a: { public: 'not-a-secret-at-all' } } } }),
    },
    { path: 'c.url', text: 'http://admin:pass%20word-of-admin@127.0.0.1/\n' },
  ];
  assert.deepEqual([...secretsIn(files)].sort(), [
    'MC4CAQAwBQYDK2VwBCIEIA',
    'key-of-the-orders',
    'key-that-is-online',
    'pass word-of-admin',
    'pass%20word-of-admin',
    'password-of-broker',
    'token-of-somebody',
  ]);
});
