import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MAX_ENTRIES, MAX_UNPACKED_BYTES, pack, unpack } from '../src/lib/archive.ts';
import { MegaError } from '../src/lib/errors.ts';
import { scratch } from './support/cli.ts';
import { type TarEntry, tarball, zipped } from './support/tarball.ts';

const GOOD: TarEntry = { path: 'agent.mjs', body: 'good' };

/** Unpacks these bytes into `<base>/in/side`; what was refused, and every file that is there now. */
async function tryUnpack(base: string, bytes: Buffer) {
  const file = join(base, 'package.tar.gz');
  writeFileSync(file, bytes);
  writeFileSync(join(base, 'outside'), 'untouched');
  const folder = join(base, 'in', 'side');
  const error = await unpack(file, folder).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const there = readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(base.length + 1))
    .filter((name) => name !== 'package.tar.gz');
  return { error, there, folder };
}

async function refused(bytes: Buffer, reason: RegExp): Promise<string[]> {
  using base = scratch();
  const { error, there } = await tryUnpack(base.path, bytes);
  assert.ok(error instanceof MegaError, `not refused: ${String(error)}`);
  assert.equal(error.code, 'bad_archive', error.message);
  assert.match(error.message, reason);
  assert.equal(readFileSync(join(base.path, 'outside'), 'utf8'), 'untouched');
  const outside = there.filter((name) => !name.startsWith('in/side/'));
  assert.deepEqual(outside, ['outside'], 'something was written outside of the folder');
  return there.filter((name) => name.startsWith('in/side/'));
}

describe('an archive is refused as a whole, and writes nothing outside its folder, when it holds', () => {
  const unwanted: [string, TarEntry, RegExp][] = [
    ['a symbolic link', { path: 'lib', type: 'SymbolicLink', linkpath: '/etc' }, /lib is a SymbolicLink/],
    ['a link inside', { path: 'a', type: 'SymbolicLink', linkpath: 'agent.mjs' }, /a is a SymbolicLink/],
    ['a hard link', { path: 'lib', type: 'Link', linkpath: '/etc/passwd' }, /lib is a Link/],
    ['a character device', { path: 'null', type: 'CharacterDevice' }, /null is a CharacterDevice/],
    ['a block device', { path: 'disk', type: 'BlockDevice' }, /disk is a BlockDevice/],
    ['a pipe', { path: 'pipe', type: 'FIFO' }, /pipe is a FIFO/],
    ['a way up', { path: '../../outside', body: 'bad' }, /outside/],
    ['a way up in the middle', { path: 'lib/../../../outside', body: 'bad' }, /outside/],
    ['a folder above', { path: '../', type: 'Directory' }, /\.\./],
    ['more bytes than allowed', { path: 'bomb', size: MAX_UNPACKED_BYTES + 1 }, /more than \d+ bytes/],
  ];
  for (const [what, entry, reason] of unwanted) {
    test(what, async () => {
      await refused(zipped([GOOD, entry]), reason);
      assert.deepEqual(await refused(zipped([entry, GOOD]), reason), [], 'what came after it was written');
    });
  }

  test('an absolute path', async () => {
    using base = scratch();
    const path = join(base.path, 'elsewhere');
    await refused(zipped([{ path, body: 'bad' }]), /leaves its folder/);
    assert.equal(existsSync(path), false);
  });

  test('a link first, and a file through it', async () => {
    const through: TarEntry[] = [
      { path: 'lib', type: 'SymbolicLink', linkpath: '..' },
      { path: 'lib/outside', body: 'bad' },
    ];
    assert.deepEqual(await refused(zipped(through), /lib is a SymbolicLink/), []);
  });

  test('more entries than allowed', async () => {
    const many = Array.from({ length: MAX_ENTRIES + 1 }, (): TarEntry => {
      return { path: 'd/', type: 'Directory' };
    });
    await refused(zipped(many), new RegExp(`more than ${MAX_ENTRIES} entries`));
  });

  test('many files that are too large only together', async () => {
    const half = MAX_UNPACKED_BYTES / 2 + 1;
    const body = Buffer.alloc(half);
    const bytes = gzipSync(
      tarball([
        { path: 'a', body },
        { path: 'b', size: half },
      ]),
      { level: 1 },
    );
    await refused(bytes, /more than \d+ bytes/);
  });

  test('a file in the place of a folder', async () => {
    const over: TarEntry[] = [
      { path: 'lib', body: 'x' },
      { path: 'lib/conn.mjs', body: 'x' },
    ];
    await refused(zipped(over), /lib/);
  });
});

describe('an archive is refused when it is', () => {
  const whole = zipped([GOOD, { path: 'lib/conn.mjs', body: 'y'.repeat(100_000) }]);

  test('cut off, wherever that is', async () => {
    for (const length of [1, 9, 20, whole.length >> 1, whole.length - 9, whole.length - 1]) {
      await refused(whole.subarray(0, length), /cannot be unpacked/);
    }
  });

  test('cut off before it was compressed', async () => {
    const plain = tarball([GOOD, { path: 'lib/conn.mjs', body: 'y'.repeat(10_000) }]);
    await refused(gzipSync(plain.subarray(0, 5_000)), /cannot be unpacked/);
  });

  test('damaged in the middle', async () => {
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(damaged.readUInt8(whole.length >> 1) ^ 0xff, whole.length >> 1);
    await refused(damaged, /cannot be unpacked/);
  });

  test('followed by something else', async () => {
    await refused(Buffer.concat([whole, Buffer.from('and something else')]), /cannot be unpacked/);
  });

  test('no archive', async () => {
    await refused(Buffer.from('not an archive at all'.repeat(100)), /cannot be unpacked/);
    await refused(gzipSync('not an archive at all'.repeat(100)), /cannot be unpacked/);
    await refused(Buffer.alloc(0), /cannot be unpacked/);
  });
});

describe('a good archive', () => {
  test('is unpacked to the same files', async () => {
    using base = scratch();
    const entries: TarEntry[] = [GOOD, { path: 'lib/deep/conn.mjs', body: 'x'.repeat(2_000) }];
    const { error, folder } = await tryUnpack(base.path, zipped(entries));
    assert.equal(error, undefined);
    for (const { path, body } of entries) assert.equal(readFileSync(join(folder, path), 'utf8'), body);
  });

  test('bears no owner and no bits that give rights', async () => {
    using base = scratch();
    const { folder } = await tryUnpack(base.path, zipped([{ path: 'run', body: 'x', mode: 0o6777 }]));
    assert.equal(statSync(join(folder, 'run')).mode & 0o6002, 0);
  });

  test('is the same bytes for the same content, whenever it is packed', async () => {
    using base = scratch();
    const packed: Buffer[] = [];
    for (const [name, time] of [
      ['a', 1_000],
      ['b', 2_000_000_000],
    ] as const) {
      const folder = join(base.path, name);
      mkdirSync(join(folder, 'lib'), { recursive: true });
      for (const file of ['agent.mjs', 'lib/conn.mjs']) {
        writeFileSync(join(folder, file), `content of ${file}`, { mode: 0o644 });
        utimesSync(join(folder, file), time, time);
      }
      const file = join(base.path, `${name}.tar.gz`);
      await pack(folder, ['agent.mjs', 'lib/conn.mjs'], file);
      packed.push(readFileSync(file));
    }
    assert.deepEqual(packed[0], packed[1]);
  });
});
