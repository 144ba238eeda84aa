import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { UnavailableError } from '../src/lib/errors.ts';
import { refreshTrust, trustedTargets } from '../src/lib/trust/client.ts';
import { lockKey, signBody, unlockKey, verifyBody } from '../src/lib/trust/jose.ts';
import {
  keyFromBase64,
  keyId,
  keyToBase64,
  newKey,
  publicFromHex,
  publicHalf,
  publicHex,
} from '../src/lib/trust/keys.ts';
import {
  aboutOf,
  holdersOf,
  makeRoot,
  makeSnapshot,
  makeTargets,
  makeTimestamp,
  sign,
  targetsOf,
  verifySigned,
} from '../src/lib/trust/metadata.ts';
import {
  minimumIn,
  orderKeysIn,
  orderKeyTarget,
  packageIn,
  packageTarget,
  policyTarget,
} from '../src/lib/trust/targets.ts';

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const code = (expected: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, expected, (error as Error).message);
  return true;
};

const keys = { root: newKey(), root2: newKey(), targets: newKey(), online: newKey() };
const target = (name: string) => ({ path: name, length: 3, sha256: sha256(name), custom: { version: name } });

function rootOf(
  version: number,
  signers = [keys.root],
  changes: Partial<Parameters<typeof makeRoot>[1]> = {},
) {
  const online = { keys: [publicHalf(keys.online)], threshold: 1 };
  const holders = {
    root: { keys: [publicHalf(keys.root)], threshold: 1 },
    targets: { keys: [publicHalf(keys.targets)], threshold: 1 },
    snapshot: online,
    timestamp: online,
    ...changes,
  };
  return sign('root', makeRoot({ version, expires: inDays(365) }, holders), signers);
}

/** What a dispatcher would serve. */
class Repository {
  files = new Map<string, string>();

  publish(version: number, names: string[], expires = inDays(1), signer = keys.targets): void {
    const targets = sign('targets', makeTargets({ version, expires: inDays(365) }, names.map(target)), [
      signer,
    ]);
    const snapshot = sign('snapshot', makeSnapshot({ version, expires: inDays(30) }, targets), [keys.online]);
    const timestamp = sign('timestamp', makeTimestamp({ version, expires }, snapshot), [keys.online]);
    this.files.set(`${version}.targets.json`, targets).set(`${version}.snapshot.json`, snapshot);
    this.files.set('timestamp.json', timestamp);
  }

  fetch = async (name: string) => this.files.get(name);
}

describe('a host that follows signed metadata', () => {
  const parent = mkdtempSync(join(tmpdir(), 'mega-trust-'));
  after(() => rmSync(parent, { recursive: true }));
  let at: { folder: string; builtInRoot: string };
  let repository: Repository;
  let n = 0;
  beforeEach(() => {
    const home = join(parent, String(n++));
    mkdirSync(home);
    at = { folder: join(home, 'trust'), builtInRoot: join(home, 'root.json') };
    writeFileSync(at.builtInRoot, rootOf(1));
    repository = new Repository();
    repository.publish(1, ['one']);
  });
  const paths = (text: string | undefined) => text && targetsOf(text).map((one) => one.path);
  const refresh = () => refreshTrust(at, repository.fetch);

  test('learns what the offline key signed, and goes on with what is newer', async () => {
    assert.equal(trustedTargets(at), undefined);
    assert.deepEqual(paths(await refresh()), ['one']);
    repository.publish(2, ['one', 'two']);
    assert.deepEqual(targetsOf(await refresh())[1], target('two'));
    assert.deepEqual(paths(trustedTargets(at)), ['one', 'two']);
  });

  test('believes no targets of another key, and keeps what it had', async () => {
    await refresh();
    repository.publish(2, ['evil'], inDays(1), newKey());
    await assert.rejects(refresh(), code('metadata_refused'));
    assert.deepEqual(paths(trustedTargets(at)), ['one']);
  });

  test('does not go back to older metadata', async () => {
    repository.publish(5, ['five']);
    await refresh();
    repository.publish(4, ['four']);
    await assert.rejects(refresh(), code('metadata_refused'));
    assert.deepEqual(paths(trustedTargets(at)), ['five']);
  });

  test('takes no targets that the snapshot does not name', async () => {
    await refresh();
    repository.publish(3, ['three']);
    repository.files.set('3.targets.json', repository.files.get('1.targets.json')!);
    await assert.rejects(refresh(), code('metadata_refused'));
  });

  test('says that metadata has expired, and still knows what it trusted', async () => {
    await refresh();
    repository.publish(2, ['two'], inDays(-1));
    await assert.rejects(refresh(), code('metadata_expired'));
    assert.deepEqual(paths(trustedTargets(at)), ['one']);
  });

  test('stops at a limit where metadata never ends', async () => {
    repository.files.set('2.root.json', 'x'.repeat(300 << 10));
    await assert.rejects(refresh(), code('metadata_refused'));
    repository.files.delete('2.root.json');
    repository.files.set('timestamp.json', ' '.repeat(64 << 10));
    await assert.rejects(refresh(), code('metadata_refused'));
  });

  test('tells an outage from a refusal', async () => {
    const away = () => Promise.reject(new UnavailableError('no_answer', 'nobody is there'));
    await assert.rejects(refreshTrust(at, away), code('no_answer'));
  });

  test('follows roots one by one, and takes none that the root before did not sign', async () => {
    repository.files.set('2.root.json', rootOf(2, [newKey()]));
    await assert.rejects(refresh(), code('metadata_refused'));
    const both = { root: { keys: [publicHalf(keys.root2)], threshold: 1 } };
    repository.files.set('2.root.json', rootOf(2, [keys.root, keys.root2], both));
    repository.files.set('3.root.json', rootOf(3, [keys.root2], both));
    await refresh();
    assert.equal(aboutOf('root', readFileSync(join(at.folder, 'root.json'), 'utf8')).version, 3);
    repository.files.set('4.root.json', rootOf(4, [keys.root], both));
    await assert.rejects(refresh(), code('metadata_refused'));
  });

  test('wants as many signatures as the threshold says', async () => {
    const two = { targets: { keys: [publicHalf(keys.targets), publicHalf(keys.root2)], threshold: 2 } };
    repository.files.set('2.root.json', rootOf(2, [keys.root], two));
    await assert.rejects(refresh(), code('metadata_refused'));
    const signed = sign('targets', repository.files.get('1.targets.json')!, [keys.root2]);
    repository.files.set('1.targets.json', signed);
    assert.deepEqual(paths(await refresh()), ['one']);
  });

  for (const name of ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json']) {
    for (const content of ['', '{"signed":{}', '\0'.repeat(400)]) {
      test(`heals ${name} that was torn to ${JSON.stringify(content.slice(0, 12))}`, async () => {
        const two = { root: { keys: [publicHalf(keys.root2)], threshold: 1 } };
        repository.files.set('2.root.json', rootOf(2, [keys.root, keys.root2], two));
        await refresh();
        writeFileSync(join(at.folder, name), content);
        assert.deepEqual(paths(await refresh()), ['one']);
        assert.deepEqual(paths(trustedTargets(at)), ['one']);
      });
    }
  }

  test('goes on after an attempt that died in mid refresh', async () => {
    mkdirSync(`${at.folder}.work`);
    writeFileSync(join(`${at.folder}.work`, 'timestamp.json'), 'torn');
    assert.deepEqual(paths(await refresh()), ['one']);
  });

  test('says so when its built-in root is none', async () => {
    writeFileSync(at.builtInRoot, '');
    await assert.rejects(refresh(), code('no_root'));
  });
});

test('metadata is what its keys have signed, to the letter', () => {
  const root = rootOf(1);
  verifySigned(root, 'root', root);
  const targets = sign('targets', makeTargets({ version: 1, expires: inDays(1) }, [target('a')]), [
    keys.targets,
  ]);
  verifySigned(root, 'targets', targets);
  assert.throws(() => verifySigned(root, 'targets', targets.replaceAll('"a"', '"b"')), code('bad_metadata'));
  assert.throws(() => verifySigned(root, 'root', targets), code('bad_metadata'));
  assert.throws(() => verifySigned('{}', 'root', root), code('bad_metadata'));
  assert.deepEqual(holdersOf(root).targets.keys.map(publicHex), [publicHex(keys.targets)]);
});

test('what the fleet signs is read again as it was meant', () => {
  const manifest = {
    ...{ format: 1 as const, name: 'mega' as const, version: '1.1.0', platforms: ['linux-x64'] },
    ...{ runtime: 'node-24.21.0', builtAt: '2026-11-24T00:00:00Z' },
  };
  const orders = newKey();
  const made = [packageTarget(manifest, sha256('x'), 7), orderKeyTarget(orders), policyTarget('1.0.0')];
  const targets = targetsOf(makeTargets({ version: 1, expires: inDays(1) }, made));
  assert.deepEqual(packageIn(targets, 'mega-1.1.0.tar.gz'), { sha256: sha256('x'), size: 7, manifest });
  assert.equal(packageIn(targets, 'mega-1.2.0.tar.gz'), undefined);
  const renamed = targets.map((one) => ({ ...one, path: one.path.replace('1.1.0', '1.2.0') }));
  assert.equal(
    packageIn(renamed, 'mega-1.2.0.tar.gz'),
    undefined,
    'one release signed under the name of another',
  );
  assert.deepEqual([...orderKeysIn(targets).keys()], [keyId(orders)]);
  assert.equal(minimumIn(targets), '1.0.0');
  assert.equal(minimumIn([]), undefined);
});

test('a key is named by what it is, and survives being written down', () => {
  const key = newKey();
  assert.equal(keyId(keyFromBase64(keyToBase64(key))), keyId(key));
  assert.equal(keyId(publicFromHex(publicHex(key))), keyId(key));
  assert.throws(() => keyFromBase64('bm9uc2Vuc2U='), code('bad_key'));
  assert.throws(() => publicFromHex('00'), code('bad_key'));
});

test('a key in a file is opened by its passphrase alone', async () => {
  const key = newKey();
  const text = await lockKey(key, 'correct horse');
  assert.ok(!text.includes(publicHalf(key).export({ format: 'jwk' }).x!));
  assert.equal(keyId(await unlockKey(`${text}\n`, 'correct horse')), keyId(key));
  await assert.rejects(unlockKey(text, 'wrong horse'), code('bad_passphrase'));
  await assert.rejects(unlockKey(text.slice(0, -20), 'correct horse'), code('bad_passphrase'));
});

describe('a signed message', () => {
  const key = newKey();
  const body = Buffer.from('{"task":1}');
  const known = (kid: string) => (kid === keyId(key) ? publicHalf(key) : undefined);

  test('is believed when a known key signed just this body', async () => {
    assert.equal(await verifyBody(body, await signBody(body, key), known), keyId(key));
  });

  test('is not believed without a signature, altered, signed by another, or cut from another message', async () => {
    const jws = await signBody(body, key);
    const [header, , signature] = jws.split('.');
    const other = await signBody(body, newKey());
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: keyId(key), b64: false, crit: ['b64'] }));
    for (const [text, expected] of [
      [undefined, 'unsigned'],
      ['', 'bad_signature'],
      ['a.b.c', 'bad_signature'],
      [`${header}..`, 'bad_signature'],
      [`${header}..${other.split('.')[2]}`, 'bad_signature'],
      [`${none.toString('base64url')}..`, 'bad_signature'],
      [`${none.toString('base64url')}..${signature}`, 'bad_signature'],
      [other, 'unknown_key'],
    ] as const) {
      await assert.rejects(verifyBody(body, text, known), code(expected), String(text));
    }
    await assert.rejects(verifyBody(Buffer.from('{"task":2}'), jws, known), code('bad_signature'));
  });
});
