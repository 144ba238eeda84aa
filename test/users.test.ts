import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { askBroker } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import type { ApiToken, User } from '../src/cli/answers.ts';
import { duration } from '../src/cli/duration.ts';
import { functions } from '../src/dispatcher/api/registry.ts';
import { People } from '../src/dispatcher/people.ts';
import { addApiToken } from '../src/dispatcher/store/api-tokens.ts';
import { codeOf } from '../src/lib/errors.ts';
import { hashPassword, Management, newSecret } from '../src/lib/management.ts';
import { loginOf, ownerOf } from '../src/lib/people.ts';
import { operatorPermissions } from '../src/lib/topology.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { asOwnerOf, Person } from './support/people.ts';
import { useWorld } from './support/world.ts';

const hash = () => hashPassword(newSecret());

describe('users and what they may do', () => {
  const world = useWorld({}, { dispatchers: 2 });

  const codesOf = async (person: Person): Promise<Map<string, string>> => {
    const codes = new Map<string, string>();
    for (const name of functions.keys()) {
      await person.call(name, {}).catch((error: unknown) => codes.set(name, codeOf(error)));
    }
    return codes;
  };

  test('the operator whom mega setup made is the only admin of a new fleet', async () => {
    const { name } = world();
    assert.deepEqual(await world().call('whoami'), {
      ...{ login: `op_${name}`, user: name, token: null, role: 'admin' },
    });
    const users = await world().json<User[]>('user', 'list');
    assert.deepEqual(
      users.map(({ name, role, createdBy }) => ({ name, role, createdBy })),
      [{ name, role: 'admin', createdBy: 'mega setup' }],
    );
    assert.match(await world().mega('user', 'whoami'), /^role +admin$/m);
  });

  test('a fleet that has users takes no more admins from a configuration', async () => {
    const before = readFileSync(world().dispatcherConfig, 'utf8');
    writeFileSync(world().dispatcherConfig, JSON.stringify({ ...JSON.parse(before), admins: ['intruder'] }));
    try {
      await (await world().startDispatcher()).end('SIGTERM');
    } finally {
      writeFileSync(world().dispatcherConfig, before);
    }
    const users = await world().json<User[]>('user', 'list');
    assert.ok(!users.some((one) => one.name === 'intruder'));
  });

  test('a user gets a file that only its owner reads, and the secret is nowhere else', async () => {
    await using alice = await Person.add(world(), 'alice', 'viewer');
    assert.equal(statSync(alice.config).mode & 0o777, 0o600);
    assert.equal((await alice.mega('host', 'list')).code, 0);
    const rows = await world().database().query('SELECT * FROM users, audit WHERE fn = ?', ['add_user']);
    assert.ok(rows.length > 0);
    assert.ok(!JSON.stringify(rows).includes(alice.secret));
    for (const log of readdirSync(world().folder).filter((name) => name.endsWith('.log'))) {
      assert.ok(!readFileSync(join(world().folder, log), 'utf8').includes(alice.secret), log);
    }
    const again = ['user', 'add', alice.name, '--role', 'admin', '--out'];
    const overwriting = await asOwnerOf(world().operatorConfig, ...again, alice.config);
    assert.deepEqual([overwriting.code, /is there already/.test(overwriting.err)], [2, true]);
    const elsewhere = join(world().folder, 'elsewhere.json');
    const twice = await asOwnerOf(world().operatorConfig, ...again, elsewhere);
    assert.deepEqual([twice.code, /there is a user .* already; mega user role/.test(twice.err)], [2, true]);
    assert.ok(!existsSync(elsewhere));
    assert.equal((await alice.mega('host', 'list')).code, 0, 'the first secret is good no more');
  });

  for (const role of ['viewer', 'operator', 'admin'] as const) {
    test(`whoever is ${role} finds each function open or refused as it declares`, async () => {
      await using person = await Person.add(world(), `each-${role}`, role);
      const codes = await codesOf(person);
      for (const one of functions.values()) {
        const mayCall = one.callers.includes(role);
        assert.equal(codes.get(one.name) !== 'refused', mayCall, `${one.name}: ${codes.get(one.name)}`);
      }
      const { code, err } = await person.mega('api', 'call', 'client_ping');
      assert.equal(code, 2);
      assert.match(err, new RegExp(`${person.login} calls as ${role}; client_ping is for: agent`));
    });
  }

  test('what changes the fleet is closed to viewers, users to operators, and all of it to hosts', async () => {
    const open = (role: 'viewer' | 'operator' | 'agent') =>
      [...functions.values()].filter((one) => one.callers.includes(role));
    const changing = open('viewer').filter((one) => one.effect !== 'reads');
    assert.deepEqual(
      changing.map((one) => one.name),
      ['add_api_token', 'del_api_token'],
    );
    const users = ['add_user', 'mod_user', 'del_user', 'get_all_user'];
    assert.deepEqual(
      open('operator').filter((one) => users.includes(one.name)),
      [],
    );
    const host = `${world().name}-host`;
    const secret = newSecret();
    await world().call('add_server', { host, passwordHash: hashPassword(secret) });
    const config = join(world().folder, 'host.json');
    const url = new URL(JSON.parse(readFileSync(world().operatorConfig, 'utf8')).broker);
    [url.username, url.password] = [host, secret];
    writeFileSync(config, JSON.stringify({ broker: url.href }));
    await using agent = new Person(world(), host, config);
    const codes = await codesOf(agent);
    for (const one of functions.values()) {
      assert.equal(codes.get(one.name) !== 'refused', one.callers.includes('agent'), one.name);
    }
  });

  test('a role that is changed holds within two seconds, whichever dispatcher answers', async () => {
    await using bob = await Person.add(world(), 'bob', 'operator');
    const mayCancel = () =>
      bob.call('cancel_task', { id: uuidv7() }).then(
        () => true,
        (error: unknown) => codeOf(error) !== 'refused',
      );
    for (let calls = 0; calls < 8; calls++) assert.ok(await mayCancel());
    await world().mega('user', 'role', bob.name, 'viewer');
    const changed = performance.now();
    let lastAllowed = changed;
    while (performance.now() < changed + 3_000) if (await mayCancel()) lastAllowed = performance.now();
    assert.ok(lastAllowed - changed < 2_000, `${lastAllowed - changed} ms`);
  });

  test('a user who is removed is thrown out at once, and does not come back', async () => {
    await using carol = await Person.add(world(), 'carol', 'admin');
    await using token = await carol.addToken('ci', 'operator');
    await carol.call('whoami');
    await token.call('whoami');
    await world().mega('user', 'remove', carol.name);
    for (const gone of [carol, token]) {
      const connections = `connections/username/${gone.login}`;
      assert.deepEqual(await askBroker(world(), 'GET', connections), []);
      await assert.rejects(gone.call('whoami', {}, { timeoutMs: 1_500 }));
      const { code, err } = await gone.mega('host', 'list');
      assert.deepEqual([code, /refuses the user or the password/.test(err)], [2, true], err);
    }
    const again = await asOwnerOf(world().operatorConfig, 'user', 'remove', carol.name);
    assert.deepEqual([again.code, /no user is called/.test(again.err)], [2, true]);
  });

  test('a login that the broker knows and the fleet does not is refused, with the remedy', async () => {
    const login = loginOf(`${world().name}-stranger`);
    const secret = newSecret();
    await world().management.putUser(login, hashPassword(secret), operatorPermissions());
    const url = new URL(JSON.parse(readFileSync(world().operatorConfig, 'utf8')).broker);
    [url.username, url.password] = [login, secret];
    const config = join(world().folder, 'stranger.json');
    writeFileSync(config, JSON.stringify({ broker: url.href }));
    await using stranger = new Person(world(), login, config);
    const { code, err } = await stranger.mega('host', 'list');
    assert.equal(code, 2);
    assert.match(
      err,
      new RegExp(`no user "${stranger.name}"; an admin adds it: mega user add ${stranger.name}`),
    );
    await using adopted = await Person.add(world(), 'stranger', 'viewer');
    assert.equal((await adopted.mega('host', 'list')).code, 0);
  });

  test('the last admin stays, whoever is asked first', async () => {
    const { name } = world();
    await assert.rejects(world().call('mod_user', { name, role: 'viewer' }), /is the only admin/);
    await assert.rejects(world().call('del_user', { name }), /nobody removes themself/);
    await using dave = await Person.add(world(), 'dave', 'admin');
    await using erin = await Person.add(world(), 'erin', 'admin');
    await world()
      .call('mod_user', { name, role: 'viewer' })
      .catch(() => assert.fail('there are others'));
    await Promise.allSettled([
      dave.call('del_user', { name: erin.name }, { timeoutMs: 5_000 }),
      erin.call('del_user', { name: dave.name }, { timeoutMs: 5_000 }),
    ]);
    const admins = await world().database().query("SELECT name FROM users WHERE role = 'admin'");
    assert.equal(admins.length, 1);
    await world().database().run("UPDATE users SET role = 'admin' WHERE name = ?", [name]);
    await until('the role to be looked up again', async () => {
      return (await world().call<{ role: string }>('whoami')).role === 'admin';
    });
  });

  test('an answer that was lost is asked for again, and makes no second user', async () => {
    const name = `${world().name}-frank`;
    const key = uuidv7();
    const args = { name, role: 'viewer', passwordHash: hash() };
    await using admin = await Person.add(world(), 'admin', 'admin');
    try {
      await admin.call('add_user', args, { key });
      assert.deepEqual(await admin.call('add_user', args, { key }), { name, login: loginOf(name) });
      await assert.rejects(admin.call('add_user', args), { code: 'name_taken' });
    } finally {
      await world().management.deleteUser(loginOf(name));
    }
  });

  test('the login of somebody in another fleet on the same broker is left alone', async () => {
    const name = `${world().name}-elsewhere`;
    const other = new Management(world().servers.rabbitmq.managementUrl, `${world().name}-other`);
    await other.createVhost();
    try {
      await other.putUser(loginOf(name), hash(), operatorPermissions());
      const asked = world().call('add_user', { name, role: 'viewer', passwordHash: hash() });
      await assert.rejects(asked, { code: 'name_taken', message: /of another fleet/ });
    } finally {
      await other.deleteUser(loginOf(name));
      await other.deleteVhost();
    }
  });

  test('names that could be read as something else are refused', async () => {
    for (const name of ['a.b', 'A', 'a b', '', 'a'.repeat(61), "a'--", 'a\n', 'ä']) {
      const asked = world().call('add_user', { name, role: 'viewer', passwordHash: hash() });
      await assert.rejects(asked, { code: 'bad_argument' }, JSON.stringify(name));
    }
    for (const login of ['op_', 'op_A', 'op_a.', 'op_a.b.c', 'op_a ', 'a', 'op_a\n']) {
      assert.equal(ownerOf(login), undefined, JSON.stringify(login));
    }
    assert.deepEqual(ownerOf('op_a-b_c.d'), { user: 'a-b_c', token: 'd' });
  });

  test('an API token is a login of its own, with a role not above that of its owner', async () => {
    await using gina = await Person.add(world(), 'gina', 'operator');
    await using token = await gina.addToken('ci', 'operator', gina.config);
    assert.equal(statSync(token.config).mode & 0o777, 0o600);
    const { login } = token;
    assert.deepEqual(await token.call('whoami'), { login, user: gina.name, token: 'ci', role: 'operator' });
    const above = ['--name', 'above', '--role', 'admin', '--ttl', '1h', '--out', `${gina.config}.above`];
    const refused = await gina.mega('user', 'token', 'create', gina.name, ...above);
    assert.deepEqual(
      [refused.code, /no token of theirs may be admin/.test(refused.err)],
      [2, true],
      refused.err,
    );
    assert.ok(!existsSync(`${gina.config}.above`));
    const more = { user: gina.name, name: 'more', role: 'viewer', ttlMs: 3_600_000 };
    const made = { ...more, passwordHash: hash(), secretSha256: '0'.repeat(64) };
    await assert.rejects(token.call('add_api_token', made), { code: 'refused' }, 'a token made a token');
    await assert.rejects(token.call('add_api_token', { ...made, user: world().name }), { code: 'refused' });

    const found = join(world().folder, 'found.txt');
    writeFileSync(found, `${token.secret}\n`);
    const whose = await world().json<ApiToken[]>('user', 'token', 'list', '--secret-file', found);
    assert.deepEqual(
      whose.map((one) => one.login),
      [login],
    );
    assert.match(await world().mega('user', 'token', 'list', gina.name), /ci +operator/);
    assert.deepEqual(await token.call('get_all_api_token'), [], 'a token is no person');

    await world().mega('user', 'role', gina.name, 'viewer');
    await until('the token to be a viewer, too', async () => {
      return (await token.call<{ role: string }>('whoami')).role === 'viewer';
    });
    assert.equal((await gina.mega('user', 'token', 'revoke', gina.name, 'ci')).code, 0);
    await assert.rejects(token.call('whoami', {}, { timeoutMs: 1_500 }));
    assert.equal((await token.mega('host', 'list')).code, 2);
    const twice = await gina.mega('user', 'token', 'revoke', gina.name, 'ci');
    assert.deepEqual([twice.code, /no API token "ci"/.test(twice.err)], [2, true]);
  });

  test('an API token that has expired is refused, and its login is removed from the broker', async () => {
    await using hana = await Person.add(world(), 'hana', 'viewer');
    await using token = await hana.addToken('old', 'viewer');
    await token.call('whoami');
    const expire = 'UPDATE api_tokens SET expires_at = UTC_TIMESTAMP(3) WHERE owner = ?';
    await world().database().run(expire, [hana.name]);
    const isThere = () => world().management.hasUser(token.login);
    await until('the login to be removed', async () => !(await isThere()));
    assert.deepEqual(await world().json('user', 'token', 'list', hana.name), []);
    assert.equal((await token.mega('host', 'list')).code, 2);
    await using again = await hana.addToken('old2', 'viewer');
    assert.equal((await again.mega('host', 'list')).code, 0);
    // What the broker has not heard of yet is refused by the fleet; nobody else sees this row, and so removes it.
    const unseen = world()
      .database()
      .transaction(async (tx) => {
        const about = {
          owner: hana.name,
          role: 'viewer',
          secretSha256: 'f'.repeat(64),
          by: 'x',
          callKey: 'x',
        } as const;
        await addApiToken(tx, { ...about, name: 'gone', ttlMs: 0 });
        const login = loginOf(hana.name, 'gone');
        await assert.rejects(new People(tx).roleOf(login), {
          code: 'refused',
          message: /expired at .*; mega user/,
        });
        throw new Error('rolled back');
      });
    await assert.rejects(unseen, /rolled back/);
  });
});

test('a duration is told in seconds, minutes, hours or days', () => {
  assert.deepEqual(['90s', '15m', '1h', '30d'].map(duration), [90_000, 900_000, 3_600_000, 2_592_000_000]);
  for (const text of ['', '0s', '1', '1w', '1.5h', '-1h', '1h ', '9999999s'])
    assert.throws(() => duration(text));
});
