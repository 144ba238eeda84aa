// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the scripts hold templates
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Functions } from '../src/lib/functions.ts';
import { type AnswerOf, call, openSender } from '../src/lib/public/sender.ts';
import { get_ip_address } from '../src/lib/public/utils.ts';
import { callerConfig } from '../src/lib/whose.ts';
import { asOwnerOf, Person } from './support/people.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

/** As one with this environment. */
async function within<T>(settings: Record<string, string>, work: () => Promise<T>): Promise<T> {
  Object.assign(process.env, settings);
  try {
    return await work();
  } finally {
    for (const name of Object.keys(settings)) delete process.env[name];
  }
}
const asOperator = <T>(work: () => Promise<T>) => within({ MEGA_CONFIG: world().operatorConfig }, work);

test('a function is called by its name, with the types of what it takes and answers', async () => {
  await asOperator(async () => {
    const me = await call('whoami');
    const name: string = me.user; // the compiler knows it
    assert.equal(name, world().name);
    const hosts: AnswerOf<'get_all_server'> = await call('get_all_server', { limit: 5 });
    assert.deepEqual(hosts, []);
    const later: unknown = await call('whoami' as string);
    assert.deepEqual(later, me);
    // @ts-expect-error: "host" is missing
    await assert.rejects(call('get_server'), { code: 'bad_argument' });
    // @ts-expect-error: there is no such argument
    await assert.rejects(call('whoami', { who: 'me' }), { code: 'bad_argument', message: /who/ });
  });
  const known: (keyof Functions)[] = ['get_job', 'client_upgrade', 'whoami'];
  assert.equal(known.length, 3);
});

test('an error says what is wrong: the function, the role, the field', async () => {
  await using viewer = await Person.add(world(), 'viewer', 'viewer');
  await using sender = await openSender({ config: viewer.config });
  const refused = (work: Promise<unknown>, code: string, message: RegExp) =>
    assert.rejects(work, { name: 'InputError', code, message });
  await refused(sender.call('get_severs'), 'unknown_function', /no function "get_severs"; get_all_funcs/);
  await refused(
    sender.call('ping', { on: ['all'] }),
    'refused',
    /calls as viewer; ping is for: operator, admin/,
  );
  await refused(sender.call('get_server', { host: 'DB 1' }), 'bad_argument', /^host: a host id/);
  await refused(sender.call('get_server', { host: 'db-99' }), 'unknown_host', /no host is called "db-99"/);
  await refused(sender.call('get_all_server', { limit: 0 }), 'bad_argument', /^limit: /);
});

test('a login that the broker refuses is told at once, with what to do', async () => {
  const broker = new URL(JSON.parse(readFileSync(world().operatorConfig, 'utf8')).broker as string);
  broker.password = 'wrong-hush';
  const config = join(world().folder, 'wrong.json');
  writeFileSync(config, JSON.stringify({ broker: broker.href }));
  const began = performance.now();
  const { code, err } = await asOwnerOf(config, 'host', 'list');
  assert.equal(code, 2);
  assert.match(err, /^mega: the broker refuses the user or the password: .*mega user add.*\n$/);
  assert.doesNotMatch(err, /hush/);
  await assert.rejects(openSender({ config }), { code: 'broker_refused', name: 'InputError' });
  assert.ok(performance.now() - began < 4_000);
});

test('no broker, no configuration, and no answer in time are told apart', async () => {
  const away = within({ MEGA_BROKER: 'amqp://u:hush@127.0.0.1:1/mega' }, () =>
    call('whoami', {}, { timeoutMs: 300 }),
  );
  await assert.rejects(away, { code: 'broker_unavailable', message: /^no broker listens there: (?!.*hush)/ });
  await assert.rejects(call('whoami'), { code: 'no_config', message: /MEGA_CONFIG/ });
  await asOperator(async () => {
    await using sender = await openSender();
    await assert.rejects(sender.call('whoami', {}, { timeoutMs: 1 }), {
      code: 'no_answer',
      name: 'UnavailableError',
    });
  });
});

test('this host is reached by the address that leads to the broker', async () => {
  assert.equal(await asOperator(() => get_ip_address()), '127.0.0.1');
  assert.equal(await get_ip_address('amqp://[::1]:5672/mega').catch(({ code }) => code), '::1');
  await assert.rejects(get_ip_address('amqp://nowhere.invalid/mega'), { code: 'no_route' });
});

describe('a script under an agent’s home', () => {
  test('calls as its host, and may do what a host may', async () => {
    await world().addHost('sender-01', '1.0.0');
    const home = join(world().folder, 'hosts', 'sender-01');
    const beside = join(world().folder, 'scripts home');
    mkdirSync(join(beside, 'node_modules'), { recursive: true });
    const library = join(home, 'releases/1.0.0/lib');
    const file = join(beside, 'ask.mjs');
    const lines = [
      `import { call } from ${JSON.stringify(join(library, 'sender.mjs'))};`,
      "const names = (await call('get_all_funcs')).map(({ name }) => name);",
      "const refused = await call('get_all_server').catch(({ code, message }) => `${code} ${message}`);",
      'console.log(JSON.stringify({ asks: names.includes("client_upgrade"), refused }));',
    ];
    writeFileSync(file, lines.join('\n'));
    const { stdout } = await promisify(execFile)(process.execPath, [file], {
      env: { PATH: process.env.PATH },
    });
    assert.deepEqual(JSON.parse(stdout), {
      asks: true,
      refused: 'refused sender-01 calls as agent; get_all_server is for: viewer, operator, admin',
    });
    const found = await within({ MEGA_HOME: home }, async () => callerConfig());
    assert.equal(new URL(found.broker).username, 'sender-01');
  });
});

test('mega api shows a function with its arguments, defaults and answer', async () => {
  const text = await world().mega('api', 'show', 'get_all_task');
  assert.match(text, /^function +get_all_task$/m);
  assert.match(text, /^limit +number +100$/m);
  assert.match(text, /It answers: \{ id: string;/);
  const shown = await world().json<{ name: string; output: object }>('api', 'show', 'get_server');
  assert.equal(shown.name, 'get_server');
  const unknown = await asOwnerOf(world().operatorConfig, 'api', 'show', 'get_severs');
  assert.deepEqual([unknown.code, /no function "get_severs"/.test(unknown.err)], [2, true]);
  assert.match(await world().mega('api', 'show', '--help'), /Example:\n {2}mega api show get_server/);
});
