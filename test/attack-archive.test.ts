import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { unpack } from '../src/lib/archive.ts';
import { MegaError } from '../src/lib/errors.ts';
import { scratch } from './support/cli.ts';
import { forged, NAME_AT, pax, SIZE_AT, type TarEntry, tarball, zipped } from './support/tarball.ts';

/** What test/archive.test.ts does not try: an archive made by somebody who has read the unpacker. */
const GOOD: TarEntry = { path: 'agent.mjs', body: 'good' };
/** Of an archive that goes on: two blocks of zeros would end it. */
const unended = (entries: TarEntry[]) => gzipSync(tarball(entries).subarray(0, -1024));
/** Less than this the machine has for a second or two; what is not bounded takes minutes. */
const SOON_MS = 10_000;

async function unpacked(
  bytes: Buffer,
  base: string,
): Promise<{ error: unknown; folder: string; tookMs: number }> {
  const file = join(base, 'package.tar.gz');
  writeFileSync(file, bytes);
  const folder = join(base, 'in', 'side');
  const began = performance.now();
  const error = await unpack(file, folder).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, folder, tookMs: performance.now() - began };
}

/** Refused for this reason, and nothing at all is written. */
async function refused(bytes: Buffer, reason: RegExp): Promise<void> {
  using base = scratch();
  const { error, tookMs } = await unpacked(bytes, base.path);
  assert.ok(error instanceof MegaError, `not refused: ${String(error)}`);
  assert.equal(error.code, 'bad_archive', error.message);
  assert.match(error.message, reason);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a reason is shown on terminals
  assert.doesNotMatch(error.message, /[\u0000-\u001f\u007f-\u009f]/);
  assert.ok(error.message.length < 300, 'the reason holds a name of any length');
  assert.deepEqual(readdirSync(base.path), ['package.tar.gz'], 'something was written');
  assert.ok(tookMs < SOON_MS, `it took ${Math.round(tookMs)} ms`);
}

/** What one archive leaves: names with modes, folders too. */
async function leaves(entries: TarEntry[]): Promise<Map<string, string>> {
  using base = scratch();
  const { error, folder } = await unpacked(zipped(entries), base.path);
  assert.equal(error, undefined);
  const all = readdirSync(folder, { recursive: true, withFileTypes: true });
  assert.ok(all.every((entry) => entry.isFile() || entry.isDirectory()));
  return new Map(
    all.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), (statSync(path).mode & 0o7777).toString(8)];
    }),
  );
}

describe('an archive is refused before anything of it is written, when', () => {
  const through = (type: 'SymbolicLink' | 'Link', linkpath: string): TarEntry[] => [
    GOOD,
    { path: 'lib', type, linkpath },
    { path: 'lib/escaped', body: 'bad' },
  ];
  for (const [what, entries, reason] of [
    [
      'a link leads to a folder outside, and a file through it',
      through('SymbolicLink', '/tmp'),
      /lib is a Symbolic/,
    ],
    ['a link leads up, and a file through it', through('SymbolicLink', '../..'), /lib is a SymbolicLink/],
    [
      'a link leads to a link',
      [...through('SymbolicLink', 'a'), { path: 'a', type: 'SymbolicLink', linkpath: '..' }],
      /is a/,
    ],
    ['a hard link names a file of its own', through('Link', 'agent.mjs'), /lib is a Link/],
    ['a hard link names a file outside', through('Link', '../outside'), /lib is a Link/],
    ['a way up stands at its end', [GOOD, { path: 'lib/..', type: 'Directory' }], /leaves its folder/],
    [
      'a way up is written for another system',
      [GOOD, { path: '..\\..\\escaped', body: 'x' }],
      /leaves its folder/,
    ],
    ['a later header gives the path', [pax({ path: '../escaped' }), GOOD], /leaves its folder/],
    ['a later header gives an absolute path', [pax({ path: '/tmp/escaped' }), GOOD], /leaves its folder/],
    [
      'a header for all gives a link',
      [pax({ linkpath: '/etc' }, 'GlobalExtendedHeader'), GOOD],
      /links to something/,
    ],
    ['a later header gives no path', [pax({ path: '' }), GOOD], /cannot be unpacked/],
    ['a later header gives an endless size', [pax({ size: 'Infinity' }), GOOD], /more than \d+ bytes/],
    ['a later header gives half a byte', [pax({ size: '0.5' }), GOOD], /0\.5 bytes/],
    [
      'it holds a sparse file',
      [GOOD, { path: 'disk', type: 'SparseFile', body: 'x' }],
      /disk is a SparseFile/,
    ],
    [
      'it holds a folder with a list in it',
      [GOOD, { path: 'd', type: 'GNUDumpDir', body: 'x' }],
      /d is a GNUDumpDir/,
    ],
    [
      'it holds what no tar knows',
      [GOOD, { path: 'v', type: 'TapeVolumeHeader' }],
      /v is a TapeVolumeHeader/,
    ],
    [
      'a name holds a terminal’s commands',
      [GOOD, { path: 'a\u001b[2J\u009b31m', body: 'x' }],
      /cannot be shown/,
    ],
    ['a name holds a new line', [GOOD, { path: 'a\nb', body: 'x' }], /cannot be shown/],
    ['a name turns its text around', [pax({ path: 'a\u202egpj.mjs' }), GOOD], /cannot be shown/],
    ['a name is longer than a disk takes', [pax({ path: 'x'.repeat(256) }), GOOD], /too long a name/],
    ['folders lie too deep', [pax({ path: `${'a/'.repeat(900)}b` }), GOOD], /folders deep/],
    ['a file is there twice', [GOOD, { path: './agent.mjs', body: 'bad' }], /agent\.mjs is there twice/],
    [
      'a file differs from another in its case alone',
      [GOOD, { path: 'AGENT.mjs', body: 'bad' }],
      /is there twice/,
    ],
  ] as [string, TarEntry[], RegExp][]) {
    test(what, () => refused(zipped(entries), reason));
  }

  test('a name is no text', async () => {
    const bytes = forged(tarball([GOOD]), NAME_AT, Buffer.from([0x61, 0xff, 0]));
    await refused(gzipSync(bytes), /cannot be shown/);
  });

  test('a size is written as less than nothing, or as more than a number holds', async () => {
    const [negative, endless] = [Buffer.alloc(12, 0xff), Buffer.alloc(12, 0x7f)];
    endless.writeUInt8(0x80);
    await refused(gzipSync(forged(tarball([GOOD]), SIZE_AT, negative)), /more than|bytes|cannot be unpacked/);
    await refused(gzipSync(forged(tarball([GOOD]), SIZE_AT, endless)), /more than|bytes|cannot be unpacked/);
  });
});

describe('an archive takes no more than a bounded time and nothing of the disk, when it holds', () => {
  const times = (bytes: Buffer, count: number) => Buffer.concat(Array<Buffer>(count).fill(bytes));

  test('a million folders', async () => {
    const folders = Array.from(
      { length: 1_000 },
      (_, i): TarEntry => ({ path: `d${i}/`, type: 'Directory' }),
    );
    await refused(times(unended(folders), 1_000), /more than \d+ entries/);
  });

  test('a million empty files', async () => {
    const thousand = (n: number) =>
      Array.from({ length: 1_000 }, (_, i): TarEntry => ({ path: `f${n}-${i}` }));
    const some = Buffer.concat(Array.from({ length: 25 }, (_, n) => unended(thousand(n))));
    await refused(Buffer.concat([some, times(unended(thousand(99)), 975)]), /more than \d+ entries/);
  });

  test('a million headers of nothing', async () => {
    const headers = Array.from({ length: 1_000 }, () => pax({ comment: 'x' }));
    await refused(Buffer.concat([unended([GOOD]), times(unended(headers), 1_000)]), /more than \d+ entries/);
  });

  test('four gigabytes in one header', async () => {
    const header = { path: 'p', type: 'ExtendedHeader', body: Buffer.alloc(64 << 20, 'x') } as const;
    await refused(Buffer.concat([unended([GOOD]), times(unended([header]), 64)]), /is a ExtendedHeader/);
  });

  test('four gigabytes after its end', async () => {
    const zeros = gzipSync(Buffer.alloc(64 << 20), { level: 1 });
    await refused(Buffer.concat([zipped([GOOD]), times(zeros, 64)]), /goes on after its end/);
  });

  test('four gigabytes in one file', async () => {
    const file: TarEntry = { path: 'bomb', size: 4 * 2 ** 30 };
    await refused(
      Buffer.concat([unended([file]), times(gzipSync(Buffer.alloc(64 << 20)), 64)]),
      /more than \d+ bytes/,
    );
  });
});

describe('a file out of an archive bears', () => {
  test('no bit that gives rights or lets others write, whichever header asks for it', async () => {
    const all = { mode: 0o7777 };
    const entries: TarEntry[] = [
      pax({ mode: String(0o7777) }, 'GlobalExtendedHeader'),
      { path: 'lib/', type: 'Directory', ...all },
      { path: 'lib/run', body: 'x', ...all },
      pax({ mode: String(0o6777) }),
      { path: 'other', body: 'x', mode: 0o2775 },
    ];
    assert.deepEqual(Object.fromEntries(await leaves(entries)), {
      lib: '755',
      'lib/run': '755',
      other: '755',
    });
  });

  test('no time and no owner that cannot be', async () => {
    const odd = pax({
      mtime: 'never',
      atime: '1e300',
      ctime: '-1',
      uid: 'x',
      gid: '-1',
      size: '-1',
      dev: 'x',
    });
    const names = pax({ uname: "'; --", gname: '$(id)', charset: 'none', __proto__: 'x', comment: '\u0000' });
    assert.deepEqual(Object.fromEntries(await leaves([odd, names, GOOD])), { 'agent.mjs': '644' });
  });

  test('its own content, though a header calls it a link', async () => {
    for (const type of ['SymbolicLink', 'Link']) {
      assert.deepEqual([...(await leaves([pax({ type }), GOOD]))], [['agent.mjs', '644']]);
    }
  });

  test('its name, though that means something to JavaScript', async () => {
    const entries = ['__proto__', 'constructor'].map((path): TarEntry => ({ path, body: 'x' }));
    assert.deepEqual([...(await leaves(entries)).keys()].sort(), ['__proto__', 'constructor']);
  });
});

test('an archive that is refused leaves alone what was in its folder', async () => {
  using base = scratch();
  const folder = join(base.path, 'in', 'side');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'agent.mjs'), 'before');
  const { error } = await unpacked(zipped([GOOD, { path: '../escaped', body: 'x' }]), base.path);
  assert.ok(error instanceof MegaError);
  assert.deepEqual(readdirSync(folder), ['agent.mjs']);
  assert.equal(existsSync(join(base.path, 'in', 'escaped')), false);
});
