import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { changeTargets, pushAll } from '../src/cli/keys/change.ts';
import { conn } from '../src/lib/conn.ts';
import { UnavailableError } from '../src/lib/errors.ts';
import type { Call } from '../src/lib/sender.ts';
import { keyFromBase64, keyId, newKey } from '../src/lib/trust/keys.ts';
import { makeSnapshot, makeTargets, makeTimestamp, sign } from '../src/lib/trust/metadata.ts';
import { policyTarget } from '../src/lib/trust/targets.ts';
import { mega, type Outcome, run, Site, type start, until } from './support/cli.ts';
import { Follower, fetchBy, operatorOf, releaseFile, signerOf } from './support/trust.ts';

type Dispatcher = ReturnType<typeof start>;

const skip = !process.env.MEGA_TEST_RABBITMQ;
const code = (expected: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, expected, (error as Error).message);
  return true;
};

function ended({ code, out, err }: Outcome, expected: number): string {
  assert.equal(code, expected, `${out}${err}`);
  return expected === 0 ? out : err;
}

/** A fleet that was just set up, with its operator and a host that joined at once. */
class Fleet implements AsyncDisposable {
  readonly site = new Site();
  readonly #opened = new AsyncDisposableStack();
  dispatcher!: Dispatcher;
  call!: Call;
  host!: Follower;
  #hosts = 0;

  static async open({ setup = [] as string[], settings = {} as object } = {}): Promise<Fleet> {
    const fleet = new Fleet();
    fleet.#opened.use(fleet.site);
    ended(await fleet.site.setup(...setup), 0);
    fleet.site.configure(settings);
    fleet.dispatcher = await fleet.site.startDispatcher();
    fleet.call = fleet.#opened.use(await operatorOf(fleet.site)).call;
    mkdirSync(fleet.site.at('dist'));
    fleet.host = fleet.join();
    return fleet;
  }

  /** A host that joins now, or joined when this was the root. */
  join(root = this.site.read('etc', 'keys', 'root.json')): Follower {
    return new Follower(this.site.at(`host-${++this.#hosts}`), root, fetchBy(this.call));
  }

  file(version: string): string {
    return releaseFile(this.site.at('dist'), version);
  }

  mega(...args: string[]): Promise<Outcome> {
    return this.site.operator(...args);
  }

  async publish(version: string): Promise<string> {
    return ended(await this.mega('package', 'publish', this.file(version)), 0);
  }

  async restart(): Promise<void> {
    await this.site.stops(this.dispatcher);
    this.dispatcher = await this.site.startDispatcher();
  }

  keyIn(name: 'online' | 'orders'): string {
    return keyId(keyFromBase64(JSON.parse(this.site.read('etc', 'dispatcher.json')).keys[name]));
  }

  untilLogged(text: RegExp): Promise<void> {
    return until(`the dispatcher logs ${text}`, () => text.test(this.dispatcher.text().err));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }
}

function useFleet(options: Parameters<typeof Fleet.open>[0] = {}): () => Fleet {
  let fleet: Fleet;
  before(async () => {
    fleet = await Fleet.open(options);
  });
  after(() => fleet?.[Symbol.asyncDispose]());
  return () => fleet;
}

describe('publishing', { skip }, () => {
  const fleet = useFleet();

  test('setup leaves locked keys that only the owner reads, and run again leaves them alone', async () => {
    const { site } = fleet();
    const at = (name: string) => site.at('etc', 'keys', name);
    assert.equal(statSync(site.at('etc', 'keys')).mode & 0o777, 0o700);
    for (const name of ['root-1.key', 'targets-1.key']) {
      assert.equal(statSync(at(name)).mode & 0o777, 0o600);
      assert.match(site.read('etc', 'keys', name), /^[\w-]+(\.[\w-]+){4}\n$/);
    }
    const files = () => ['root-1.key', 'root.json'].map((name) => site.read('etc', 'keys', name));
    const [before, keys] = [files(), JSON.parse(site.read('etc', 'dispatcher.json')).keys];
    assert.match(ended(await site.setup(), 0), /The offline keys were there already/);
    assert.deepEqual(files(), before);
    assert.deepEqual(JSON.parse(site.read('etc', 'dispatcher.json')).keys, keys);
  });

  test('setup makes no second set of keys for a fleet that is there, and changes nothing', async () => {
    const { site } = fleet();
    renameSync(site.at('etc'), site.at('aside'));
    try {
      const { code, err } = await site.setup();
      assert.equal(code, 2, err);
      assert.match(err, /has a fleet with dispatchers already .*: name the folder of that time with --out/);
      assert.equal(existsSync(site.at('etc')), false);
    } finally {
      renameSync(site.at('aside'), site.at('etc'));
    }
    ended(await site.operator('host', 'list'), 0);
  });

  test('a host knows whose orders to obey before anything was published', async () => {
    const { orders, paths } = await fleet().host.refresh();
    assert.deepEqual(orders, [fleet().keyIn('orders')]);
    assert.equal(paths.length, 1);
  });

  test('a package that is published is signed, and again nothing changes', async () => {
    assert.match(await fleet().publish('1.0.0'), /^mega 1\.0\.0 is published \(/);
    const seen = await fleet().host.refresh();
    assert.ok(seen.paths.includes('mega-1.0.0.tar.gz'));
    assert.match(await fleet().publish('1.0.0'), /^mega 1\.0\.0 is published already/);
    assert.equal((await fleet().host.refresh()).version, seen.version);
    assert.match(ended(await fleet().mega('package', 'list'), 0), /^1\.0\.0 +release +ready +yes /m);
  });

  test('what is only uploaded is not ordered; signed later, it is', async () => {
    const file = fleet().file('1.1.0');
    assert.match(ended(await fleet().mega('package', 'publish', file, '--no-sign'), 0), /not signed yet/);
    assert.match(ended(await fleet().mega('package', 'list'), 0), /^1\.1\.0 +release +ready +no /m);
    const order = () => fleet().mega('upgrade', '--to', '1.1.0', '--on', 'all', '--no-watch');
    assert.match(ended(await order(), 2), /1\.1\.0 is uploaded, but not signed: .*mega package publish/);
    assert.match(ended(await fleet().mega('package', 'publish', file), 0), /is published \(/);
    ended(await order(), 0);
  });

  test('a wrong passphrase is told and signs nothing; so is none at all', async () => {
    const { site } = fleet();
    const before = (await fleet().host.refresh()).version;
    writeFileSync(site.at('wrong'), 'not the passphrase\n');
    const publish = (...more: string[]) => ['package', 'publish', fleet().file('1.2.0'), ...more];
    const wrong = await fleet().mega(...publish('--passphrase-file', site.at('wrong')));
    assert.match(ended(wrong, 2), /the passphrase does not open the key/);
    const none = await run([...publish(), '--config', site.at('etc', 'operator.json')]);
    assert.match(ended(none, 2), /no terminal to ask on: name a file with --passphrase-file/);
    assert.equal((await fleet().host.refresh()).version, before);
  });

  test('without the keys a package is not published, and the reason says where to get them', async () => {
    const { err } = await fleet().mega('package', 'publish', fleet().file('1.2.0'), '--keys', '/nonexistent');
    assert.match(err, /\/nonexistent is no folder of offline keys .*--keys or \$MEGA_KEYS/);
  });

  test('several who publish at once, from one folder and from a copy, all succeed', async () => {
    const { site } = fleet();
    cpSync(site.at('etc', 'keys'), site.at('copy'), { recursive: true });
    const versions = ['2.0.0', '2.0.1', '2.0.2', '2.0.3'];
    const files = versions.map((version) => fleet().file(version));
    const from = (i: number) => (i % 2 ? ['--keys', site.at('copy')] : []);
    const all = await Promise.all(
      files.map((file, i) => fleet().mega('package', 'publish', file, ...from(i))),
    );
    for (const one of all) ended(one, 0);
    const { paths } = await fleet().host.refresh();
    for (const version of versions) assert.ok(paths.includes(`mega-${version}.tar.gz`), version);
  });

  test('an answer that is lost, and a sender that dies before sending, cost nothing', async () => {
    const { call } = fleet();
    const signer = signerOf(fleet().site);
    let lost = 0;
    const losing: Call = async (fn, args, options) => {
      const answer = await call(fn, args, options);
      if (fn === 'put_metadata' && lost++ === 0) throw new UnavailableError('no_answer', 'it was lost');
      return answer as never;
    };
    assert.equal(await changeTargets(losing, signer, (targets) => [...targets, policyTarget('0.1.0')]), true);
    assert.equal(lost, 2);
    const { version } = await fleet().host.refresh();

    const dying: Call = async (fn, args, options) => {
      if (fn === 'put_metadata') throw new Error('killed');
      return call(fn, args, options);
    };
    const without = changeTargets(dying, signer, (targets) =>
      targets.filter((one) => one.path !== 'policy.json'),
    );
    await assert.rejects(without, /killed/);
    assert.equal((await fleet().host.refresh()).version, version);
    assert.equal(await pushAll(call, signer), true);
    const seen = await fleet().host.refresh();
    assert.deepEqual([seen.version, seen.paths.includes('policy.json')], [version + 1, false]);
  });

  test('nothing is taken over that is not uploaded, not signed by the targets key, or known otherwise', async () => {
    const { call, site, host } = fleet();
    const { version, targets } = await host.refresh();
    const put = (text: string, replaces = version) => call('put_metadata', { targets: text, replaces });
    const about = { version: version + 1, expires: new Date(Date.now() + 86_400_000) };
    const signed = (list: typeof targets, by = signerOf(site)) =>
      by.sign('targets', makeTargets(about, list), [by.folder.root()]);
    const [one] = targets.filter(({ path }) => path === 'mega-1.0.0.tar.gz');
    const other = { ...one!, sha256: 'f'.repeat(64) };
    await assert.rejects(put(await signed([other])), code('unknown_package'));
    await assert.rejects(put(sign('targets', makeTargets(about, targets), [newKey()])), code('bad_metadata'));
    await assert.rejects(put(await signed(targets), version - 1), code('metadata_conflict'));
    assert.equal((await host.refresh()).version, version);
  });

  test('a package that is removed is no longer signed, and one whose bytes alone go stays so', async () => {
    assert.match(ended(await fleet().mega('package', 'remove', '2.0.0'), 0), /no longer signed/);
    ended(await fleet().mega('package', 'remove', '2.0.1', '--keep-signature'), 0);
    const { paths } = await fleet().host.refresh();
    assert.deepEqual(
      [paths.includes('mega-2.0.0.tar.gz'), paths.includes('mega-2.0.1.tar.gz')],
      [false, true],
    );
    assert.match(
      ended(await fleet().mega('package', 'remove', '2.0.1'), 0),
      /2\.0\.1 is removed \(no longer signed\)/,
    );
    assert.match(ended(await fleet().mega('package', 'remove', '2.0.1'), 2), /there is no package 2\.0\.1/);
  });

  test('no release below the signed minimum is ordered, downgrade or not', async () => {
    await fleet().publish('1.0.0');
    assert.match(ended(await fleet().mega('package', 'minimum', '1.1.0'), 0), /no host goes below 1\.1\.0/);
    const order = (...more: string[]) =>
      fleet().mega('upgrade', '--to', '1.0.0', '--on', 'all', '--no-watch', ...more);
    assert.match(ended(await order(), 2), /1\.0\.0 is below 1\.1\.0, the signed minimum/);
    ended(await order('--allow-downgrade'), 2);
    assert.match(ended(await fleet().mega('keys', 'show'), 0), /minimum version 1\.1\.0/);
  });

  test('hosts that run a newer version go back only when that is asked for, and the job says so', async () => {
    const { site, mega } = { site: fleet().site, mega: (...args: string[]) => fleet().mega(...args) };
    await using db = conn(site.databaseUrl, { connections: 1 });
    for (const [host, version] of [
      ['new-1', '2.0.2'],
      ['new-2', '2.0.2'],
      ['old', '1.1.0'],
    ] as const) {
      await db.run('INSERT INTO hosts (id, registered_at, version) VALUES (?, UTC_TIMESTAMP(3), ?)', [
        host,
        version,
      ]);
    }
    const order = (...more: string[]) =>
      mega('upgrade', '--to', '1.1.0', '--on', 'all', '--no-watch', ...more);
    assert.match(
      ended(await order(), 2),
      /2 hosts run a newer version than 1\.1\.0, such as new-1 with 2\.0\.2: .*--allow-downgrade/,
    );
    const job = /^job (\S+)$/m.exec(ended(await order('--allow-downgrade'), 0))![1]!;
    assert.match(ended(await mega('job', 'show', job), 0), /upgrade to 1\.1\.0 \(downgrade allowed\) on all/);
    const tasks = await fleet().call<{ args: { downgrade: boolean } }[]>('get_all_task', { job });
    assert.deepEqual(
      tasks.map((one) => one.args.downgrade),
      [true, true, true],
    );
  });
});

describe('keys that are replaced', { skip }, () => {
  const fleet = useFleet();
  const show = async () => JSON.parse(ended(await fleet().mega('keys', 'show', '--json'), 0));

  test('mega keys show tells who may sign what until when, and which keys are here', async () => {
    const { keys, packages } = await show();
    const told = keys.map((one: { role: string; file: string | null }) => [one.role, one.file]);
    assert.deepEqual(told, [
      ['root', 'root-1.key'],
      ['targets', 'targets-1.key'],
      ['snapshot', null],
      ['timestamp', null],
      ['orders', null],
    ]);
    assert.equal(packages, 0);
    const text = ended(await fleet().mega('keys', 'show'), 0);
    assert.match(text, /^root +[0-9a-f]{16} +1 +\d{4}-\d\d-\d\d +root-1\.key$/m);
  });

  test('a new root key is followed by hosts, also by one that slept through two of them', async () => {
    const sleeper = fleet().join();
    await fleet().host.refresh();
    ended(await fleet().mega('keys', 'rotate', 'root'), 0);
    await fleet().host.refresh();
    ended(await fleet().mega('keys', 'rotate', 'root'), 0);
    rmSync(fleet().site.at('etc', 'keys', 'root-1.key'));
    await fleet().publish('1.0.0');
    for (const one of [fleet().host, sleeper]) {
      assert.ok((await one.refresh()).paths.includes('mega-1.0.0.tar.gz'));
    }
    assert.equal((await show()).root, 3);
  });

  test('a copy of the keys folder that is behind catches up before it signs', async () => {
    const { site } = fleet();
    cpSync(site.at('etc', 'keys'), site.at('behind'), { recursive: true });
    ended(await fleet().mega('keys', 'renew', '--days', '200'), 0);
    await fleet().publish('1.0.1');
    ended(await fleet().mega('package', 'publish', fleet().file('1.0.2'), '--keys', site.at('behind')), 0);
    const { paths } = await fleet().host.refresh();
    assert.deepEqual(paths.filter((path) => path.startsWith('mega-')).sort(), [
      'mega-1.0.0.tar.gz',
      'mega-1.0.1.tar.gz',
      'mega-1.0.2.tar.gz',
    ]);
    assert.equal(site.read('behind', 'root.json'), site.read('etc', 'keys', 'root.json'));
  });

  test('a new targets key signs all that the old one had signed, and the old one nothing more', async () => {
    const { site } = fleet();
    cpSync(site.at('etc', 'keys'), site.at('thief'), { recursive: true });
    const before = await fleet().host.refresh();
    ended(await fleet().mega('keys', 'rotate', 'targets'), 0);
    const seen = await fleet().host.refresh();
    assert.deepEqual(seen.targets, before.targets);
    const about = { version: seen.version + 1, expires: new Date(Date.now() + 86_400_000) };
    const thief = signerOf(site, site.at('thief'));
    const stolen = await thief.sign('targets', makeTargets(about, seen.targets), thief.folder.roots());
    const put = fleet().call('put_metadata', { targets: stolen, replaces: seen.version });
    await assert.rejects(put, code('bad_metadata'));
  });

  test('a new online key takes over without a gap; a dispatcher with the old one then says so and signs nothing', async () => {
    const { site, host } = fleet();
    cpSync(site.at('etc', 'dispatcher.json'), site.at('etc', 'old.json'));
    const old = fleet().keyIn('online');
    const file = ['--dispatcher', site.at('etc', 'dispatcher.json')];
    assert.match(
      ended(await fleet().mega('keys', 'rotate', 'online', ...file), 0),
      /mega keys rotate online .*--retire/,
    );
    assert.notEqual(fleet().keyIn('online'), old);
    await host.refresh();
    await fleet().publish('1.1.0');
    await fleet().restart();
    await host.refresh();
    ended(await fleet().mega('keys', 'rotate', 'online', ...file, '--retire'), 0);
    assert.ok((await host.refresh()).paths.includes('mega-1.1.0.tar.gz'));

    const timestamp = await host.fetch('timestamp.json');
    const wrong = await site.startDispatcher('old.json');
    await until('it says so', () =>
      /nothing is signed: the online key .* is none that root\.json names/.test(wrong.text().err),
    );
    await site.stops(fleet().dispatcher);
    const { err } = await fleet().mega('package', 'publish', fleet().file('1.1.1'));
    assert.match(err, /is none that root\.json names/);
    assert.equal(await host.fetch('timestamp.json'), timestamp);
    await host.refresh();
    await site.stops(wrong);
    fleet().dispatcher = await site.startDispatcher();
    await fleet().publish('1.1.1');
    assert.ok((await host.refresh()).paths.includes('mega-1.1.1.tar.gz'));
  });

  test('a new orders key is believed beside the old one until that is retired', async () => {
    const { site, host } = fleet();
    const old = fleet().keyIn('orders');
    const file = ['--dispatcher', site.at('etc', 'dispatcher.json')];
    ended(await fleet().mega('keys', 'rotate', 'orders', ...file), 0);
    const fresh = fleet().keyIn('orders');
    assert.deepEqual((await host.refresh()).orders.sort(), [old, fresh].sort());
    ended(await fleet().mega('keys', 'rotate', 'orders', ...file, '--retire'), 0);
    assert.deepEqual((await host.refresh()).orders, [fresh]);
    assert.equal(JSON.stringify(await show()).includes('orders-1.key'), false);
  });
});

describe('keys of several people', { skip }, () => {
  const fleet = useFleet({ setup: ['--root-keys', '3', '--root-threshold', '2', '--targets-keys', '2'] });

  test('with 2 of 3 in two folders nothing changes until both have signed', async () => {
    const { site, host } = fleet();
    const keys = (name: string) => site.at('etc', 'keys', name);
    mkdirSync(site.at('other'));
    for (const name of ['root-2.key', 'root-3.key', 'targets-2.key'])
      renameSync(keys(name), site.at('other', name));
    const root = site.read('etc', 'keys', 'root.json');
    const waits = ended(await fleet().mega('keys', 'threshold', 'targets', '2'), 1);
    assert.match(
      waits,
      /pending-root\.json has 1 of 2 signatures; .* mega keys sign .*pending-root\.json.* --keys/,
    );
    assert.equal(site.read('etc', 'keys', 'root.json'), root);
    ended(await fleet().mega('keys', 'push'), 1);

    const cosign = (name: string) => fleet().mega('keys', 'sign', keys(name), '--keys', site.at('other'));
    assert.match(ended(await cosign('pending-root.json'), 0), /targets: 2 of .*\nsigned by [0-9a-f]{16}\n/s);
    assert.equal(ended(await fleet().mega('keys', 'push'), 0), 'sent\n');
    await host.refresh();

    const file = fleet().file('1.0.0');
    assert.match(
      ended(await fleet().mega('package', 'publish', file), 1),
      /pending-targets\.json has 1 of 2/,
    );
    assert.match(ended(await cosign('pending-targets.json'), 0), /mega-1\.0\.0\.tar\.gz [0-9a-f]{64}\n/);
    ended(await fleet().mega('package', 'publish', file), 0);
    assert.ok((await host.refresh()).paths.includes('mega-1.0.0.tar.gz'));
  });

  test('a folder that holds no key that is asked for signs nothing', async () => {
    const { site } = fleet();
    mkdirSync(site.at('empty'));
    const file = site.at('etc', 'keys', 'root.json');
    assert.match(
      ended(await fleet().mega('keys', 'sign', file, '--keys', site.at('empty')), 2),
      /no key in .* may sign/,
    );
    assert.match(
      ended(await fleet().mega('keys', 'sign', site.at('passphrase'), '--keys', site.at('other')), 2),
      /is no root/,
    );
  });
});

describe('time', { skip }, () => {
  const LIFE_MS = 4_000;
  const fleet = useFleet({ settings: { timestampLifeMs: LIFE_MS, snapshotLifeMs: LIFE_MS } });

  test('what lives for seconds is signed anew for as long as a dispatcher runs, and expires when none does', async () => {
    const { host, site } = fleet();
    const seen = new Set<string | undefined>();
    const until = performance.now() + 2 * LIFE_MS;
    while (performance.now() < until) {
      await host.refresh();
      seen.add(await host.fetch('timestamp.json'));
    }
    assert.ok(seen.size >= 3 && seen.size <= 8, `${seen.size} timestamps`);
    const kept = new Map<string, string | undefined>();
    const keeping = async (name: string) => kept.set(name, await host.fetch(name)).get(name);
    await fleet().join().refresh(keeping);
    await site.stops(fleet().dispatcher);
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, LIFE_MS + 1_000);
    await promise; // until it has expired, which nobody tells
    await assert.rejects(
      host.refresh(async (name) => kept.get(name)),
      code('metadata_expired'),
    );
    fleet().dispatcher = await site.startDispatcher();
    await host.refresh();
  });

  test('a database that was restored from a backup does not look like a rollback', async () => {
    const { host, site } = fleet();
    await using db = conn(site.databaseUrl, { connections: 1 });
    const rows = 'SELECT role, version, body FROM trust_metadata WHERE role IN (?)';
    const backup = await db.query<{ role: string; version: number; body: string }>(rows, [
      ['timestamp', 'snapshot'],
    ]);
    const versionNow = async () => {
      const [row] = await db.query<{ version: number }>(rows, [['timestamp']]);
      return Number(row!.version);
    };
    const untilNewer = async (version: number) => {
      const deadline = performance.now() + 30_000;
      while ((await versionNow()) <= version) assert.ok(performance.now() < deadline);
    };
    const restore = async () => {
      await db.run('DELETE FROM trust_metadata WHERE role IN (?)', [['timestamp', 'snapshot']]);
      for (const row of backup) {
        const insert =
          'INSERT INTO trust_metadata (role, version, body, stored_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))';
        await db.run(insert, [row.role, row.version, row.body]);
      }
    };
    await untilNewer(await versionNow());
    await host.refresh();
    const before = await versionNow();
    await restore();
    await untilNewer(before); // by the dispatcher that has seen the newer ones
    await host.refresh();
    await site.stops(fleet().dispatcher);
    await restore();
    fleet().dispatcher = await site.startDispatcher();
    await host.refresh();
  });

  test('targets of a restored database come back from the keys folder', async () => {
    const { host, site } = fleet();
    await fleet().publish('1.0.0');
    const { version } = await host.refresh();
    const before = await host.fetch('timestamp.json');
    // Signed anew, so that the dispatcher has looked since.
    while ((await host.fetch('timestamp.json')) === before) await new Promise(setImmediate);
    await using db = conn(site.databaseUrl, { connections: 1 });
    await db.run("DELETE FROM trust_metadata WHERE role = 'targets' AND version = ?", [version]);
    await fleet().untilLogged(/the targets went back from version \d+ to \d+, .* mega keys push/);
    await assert.rejects(host.refresh(), code('metadata_refused'));
    assert.equal(ended(await fleet().mega('keys', 'push'), 0), 'sent\n');
    assert.equal((await host.refresh()).version, version);
  });

  test('root and targets that will expire are warned of, and those that have expired upgrade no host', async () => {
    const { host, site, call } = fleet();
    ended(await fleet().mega('keys', 'renew', '--days', '3'), 0);
    await fleet().untilLogged(/root\.json expires in 3 days, on .*: renew it .*mega keys renew root/);
    await fleet().untilLogged(/targets\.json expires in 3 days/);
    await changeTargets(call, signerOf(site), (targets) => targets, { days: 2 / 86_400 });
    await fleet().untilLogged(/targets\.json expired on .*, and no host is upgraded/);
    await assert.rejects(host.refresh(), code('metadata_expired'));
    ended(await fleet().mega('keys', 'renew'), 0);
    await host.refresh();
  });
});

describe('a thief', { skip }, () => {
  const fleet = useFleet();

  test('with the keys of snapshot and timestamp alone makes no host take another package', async () => {
    const { host, site, call } = fleet();
    await fleet().publish('1.0.0');
    const { version, targets } = await host.refresh();
    const online = keyFromBase64(JSON.parse(site.read('etc', 'dispatcher.json')).keys.online);
    const evil = [...targets, { ...targets.at(-1)!, path: 'mega-6.6.6.tar.gz', sha256: '6'.repeat(64) }];
    const later = { version: version + 1, expires: new Date(Date.now() + 86_400_000) };
    const forged = sign('targets', makeTargets(later, evil), [online]);
    await assert.rejects(call('put_metadata', { targets: forged, replaces: version }), code('bad_metadata'));

    const first = (await host.fetch('1.targets.json'))!;
    for (const text of [forged, first]) {
      const high = { ...later, version: 2 ** 40 };
      const snapshot = sign('snapshot', makeSnapshot(high, text), [online]);
      const files = new Map([
        ['timestamp.json', sign('timestamp', makeTimestamp(high, snapshot), [online])],
        [`${high.version}.snapshot.json`, snapshot],
        [`${version + 1}.targets.json`, forged],
      ]);
      const served = async (name: string) => files.get(name) ?? host.fetch(name);
      await assert.rejects(host.refresh(served), code('metadata_refused'));
    }
    assert.equal((await host.refresh()).version, version);
  });
});

describe('docs/keys.md', { skip }, () => {
  const fleet = useFleet();

  test('every command in it runs as written, in its order', async () => {
    const { site } = fleet();
    for (const version of ['1.0.0', '1.1.0']) await fleet().publish(version);
    symlinkSync(join(mega, '..'), site.at('bin'));
    const settings = { MEGA_CONFIG: site.at('etc', 'operator.json'), ...site.settings };
    const text = readFileSync(join(import.meta.dirname, '../docs/keys.md'), 'utf8');
    const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!);
    assert.ok(blocks.length > 4);
    for (const block of blocks) {
      if (block.includes('--retire')) await fleet().restart(); // as it says
      ended(await run(['-ec', `cd '${site.folder.path}'\n${block}`], '/bin/sh', settings), 0);
      await fleet().host.refresh();
    }
  });
});
