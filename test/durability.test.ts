// What is told or switched is on disk before: read from the system calls of the agent's own code, and tried by
// cutting the power after each of them, in every way that a disk may then come up.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readIfThere } from '../src/lib/files.ts';
import { homeAt, versionAt } from '../src/lib/home.ts';
import { Disk } from './support/durability/disk.ts';
import { makeHome, scratch } from './support/durability/home.ts';
import { aroundTheMove, borrowRuntime, type Known, opens, starts } from './support/durability/left.ts';
import { follow, outOfOrder, tell } from './support/durability/order.ts';
import {
  agent,
  givenUp,
  heldBefore,
  onTrial,
  PACKED,
  play,
  steps,
  toStage,
} from './support/durability/play.ts';
import { replay, type State } from './support/durability/replay.ts';
import { cannotTrace, type Op, read } from './support/durability/trace.ts';

const skip = cannotTrace() ?? false;
const WAL = 'state/journal.db-wal';
const DB = 'state/journal.db';

const gives = (path: string) => (op: Op) => op.do === 'rename' && op.to === path;
const says = (text: string) => (op: Op) => op.do === 'say' && op.text === text;

describe('the order of what reaches the disk', { skip, concurrency: 2, timeout: 120_000 }, () => {
  for (const what of ['accept', 'overflow'])
    test(`an order is on disk before it is acknowledged (${what})`, async () => {
      using folder = scratch();
      const { ops, disk } = await play(what, folder.path);
      assert.equal(unsafeAcknowledgements(ops, disk()).join('\n'), '');
      assert.equal(ops.filter((op) => op.do === 'say').length, what === 'accept' ? 6 : 23);
      const moved = ops.findIndex((op) => op.do === 'write' && op.path === DB && op.at! > 0);
      const anew = ops.findIndex((op, n) => n > moved && op.do === 'write' && op.path === WAL && op.at === 0);
      assert.ok(moved > 0 && anew > moved, 'the log was moved into the database and begun anew');
    });

  test('a file is written beside and synced, renamed, and its folder synced, before the next step', async () => {
    using folder = scratch();
    const { ops, disk } = await play('files', folder.path);
    assert.deepEqual(outOfOrder(ops, disk()), []);
    assert.deepEqual(ops.slice(0, ops.findIndex(says('written'))).map(tell), [
      'open state/.a.new',
      'write state/.a.new',
      'sync state/.a.new',
      'rename state/.a.new to state/a',
      'sync state',
    ]);
    assert.deepEqual(steps(ops), ['state/a', 'state/a', 'state/b', 'state/c', 'gone state/b']);
  });

  test('the way back and the trial are on disk before `current` is swapped, and that before we go on', async () => {
    using folder = scratch();
    const { ops, disk } = await play('switch', folder.path);
    assert.deepEqual(outOfOrder(ops, disk()), []);
    assert.deepEqual(steps(ops), ['previous', 'state/trial.count', 'state/trial', 'current']);
    follow(ops, disk(), (op, disk) => {
      if (!gives('current')(op) && op.do !== 'say') return;
      const ready = ['previous', 'state/trial.count', 'state/trial', ...(op.do === 'say' ? ['current'] : [])];
      for (const path of ready) {
        assert.ok(disk.get(path), `${path} is there before ${tell(op)}`);
        assert.deepEqual(disk.unsafe(path), [], tell(op));
      }
    });
  });

  test('a trial is closed on disk before its counters go, and both before an old release does', async () => {
    using folder = scratch();
    const { ops, disk } = await play('close', folder.path, onTrial);
    const closed = ops.findIndex(says('closed'));
    assert.deepEqual(outOfOrder(ops.slice(0, closed), disk()), []);
    assert.deepEqual(steps(ops.slice(0, closed)), ['gone state/trial', 'gone state/trial.count']);
    assert.ok(steps(ops).includes('gone releases/0.9.0'));
    assert.equal(steps(ops).at(-1), 'bin/mega_client');
    follow(ops, disk(), (op, disk) => {
      if (op.do === 'unlink' && op.path.startsWith('releases/')) assert.deepEqual(disk.unsafe('state'), []);
      if (gives('bin/mega_client')(op)) assert.equal(contentsUnsafe(disk, 'bin').join(), '');
      if (says('done')(op)) assert.deepEqual(disk.unsafe('bin'), []);
    });
  });

  for (const [how, anew] of [
    ['anew', true],
    ['in the place of another', false],
  ] as const)
    test(`a release staged ${how} is on disk as a whole before it gets its name`, async () => {
      using folder = scratch();
      const { ops, disk } = await play('stage', folder.path, (root) => toStage(root, anew));
      const placed = ops.findIndex(gives('releases/1.1.0'));
      assert.ok(placed > 0, 'it got its name');
      follow(ops, disk(), (op, disk, index) => {
        if (index === placed) {
          for (const name of [...PACKED, 'runtime']) assert.ok(disk.get(join(pathOf(op), name)), name);
          const unsafe = disk.unsafe(pathOf(op)).filter((one) => one !== `the name ${pathOf(op)}`);
          assert.deepEqual(unsafe, [], 'not synced when it got its name');
        }
        if (index === placed + 1) assert.equal(tell(op), 'sync releases');
        if (op.do === 'say') assert.deepEqual(disk.unsafe('releases/1.1.0'), []);
      });
    });
});

test('a file for which there is not room enough stays as it was, and the error tells', () => {
  using folder = scratch();
  const home = makeHome(join(folder.path, 'home'));
  const before = readFileSync(home.loader, 'utf8');
  const short = ['-c', 'ulimit -f 64; exec "$@"', 'sh', ...agent('full', home.root)];
  const { stdout } = spawnSync('sh', short, { encoding: 'utf8' });
  assert.equal(readFileSync(home.loader, 'utf8').length, before.length, stdout);
  assert.match(stdout, /mark EFBIG/);
});

const pathOf = (op: Op) => (op.do === 'say' ? '' : op.path);
const contentsUnsafe = (disk: Disk, path: string) =>
  disk.unsafe(path).filter((one) => one.startsWith('the content'));

/** Acknowledgements that came before what they acknowledge was on disk, or without anything written. */
function unsafeAcknowledgements(ops: Op[], disk: Disk): string[] {
  const found: string[] = [];
  let written = false;
  follow(ops, disk, (op, disk) => {
    if (op.do === 'write' && op.path === WAL) written = true;
    if (op.do !== 'say' || !op.text.startsWith('accepted ')) return;
    for (const path of [WAL, DB]) found.push(...disk.unsafe(path).map((one) => `${tell(op)} before ${one}`));
    if (!written) found.push(`${tell(op)} and nothing was written`);
    written = false;
  });
  return found;
}

describe('power loss', { skip, concurrency: 2, timeout: 120_000 }, () => {
  for (const [how, prepare, holds, may] of [
    ['while switching', () => undefined, 1, ['1.0.0 switch', '1.1.0 watch']],
    ['while switching once more', heldBefore, 2, ['1.0.0 judge', '1.0.0 switch', '1.1.0 watch']],
  ] as const)
    test(`${how} leaves a home that starts, and an upgrade that goes on`, async (t) => {
      using folder = scratch();
      const { ops, disk } = await play('switch', folder.path, prepare);
      const met = new Set<string>();
      const known: Known = { phase: 'switching', facts: { holds } };
      const check = (state: State) => starts(state, known, [...may], met);
      const { states, wrong } = await replay(ops, disk(), folder.path, check);
      t.diagnostic(`${ops.length} operations, ${states} distinct states`);
      assert.equal(wrong.join('\n'), '');
      assert.deepEqual([...met].sort(), may, 'each of these was met');
    });

  test('while the trial is closed leaves the new release running, and no way back is taken', async (t) => {
    using folder = scratch();
    const { ops, disk } = await play('close', folder.path, onTrial);
    const proof = { nonce: 'n', boot: '0198c0de-0000-4000-8000-00000000000b', version: '1.1.0' };
    const known: Known = { phase: 'watching', facts: { holds: 1, proof } };
    const whole = ['bin/mega_client', 'releases/1.1.0/loader.sh'].map((one) =>
      String(disk().file(one).now.bytes),
    );
    const { states, wrong } = await replay(ops, disk(), folder.path, (state) => {
      if (!whole.includes(readFileSync(homeAt(state.path).loader, 'utf8'))) return 'the loader is torn';
      return starts(state, known, ['1.1.0 complete']);
    });
    t.diagnostic(`${ops.length} operations, ${states} distinct states`);
    assert.equal(wrong.join('\n'), '');
  });

  test('on the way back, by the loader and then the release before, never starts the new one', {}, async (t) => {
    using folder = scratch();
    const prepare = (root: string) => givenUp(root, 'judged');
    const loader = (root: string) => ['sh', homeAt(root).loader, 'run'];
    const { ops, disk, root } = await play('judged', folder.path, prepare, loader);
    assert.equal(versionAt(homeAt(root).current), '1.0.0');
    const known: Known = { phase: 'rolling_back', facts: { holds: 1, verdict: 'crashed exit 1' } };
    const check = (state: State) => {
      borrowRuntime(state);
      return starts(state, known, ['1.0.0 judge']);
    };
    const contents = ['kept', 'lost', 'zeroed'] as const;
    const { states, wrong } = await replay(ops, disk(), folder.path, check, { contents });
    t.diagnostic(`${ops.length} operations, ${states} distinct states`);
    assert.equal(wrong.join('\n'), '');
  });

  test('while staging leaves a whole release under its name, or none', async (t) => {
    for (const anew of [true, false]) {
      using folder = scratch();
      const { ops, disk, root } = await play('stage', folder.path, (root) => toStage(root, anew));
      const release = (root: string) =>
        PACKED.filter((name) => name !== 'lib').map((name) =>
          readIfThere(join(root, 'releases/1.1.0', name)),
        );
      const whole = [release(root), release(join(folder.path, 'before'))].map((one) => JSON.stringify(one));
      const { states, wrong } = await replay(
        ops,
        disk(),
        folder.path,
        (state) => {
          if (!existsSync(join(state.path, 'releases/1.1.0'))) return undefined;
          return whole.includes(JSON.stringify(release(state.path))) ? undefined : 'a part of a release';
        },
        { contents: ['kept', 'lost', 'zeroed'] },
      );
      t.diagnostic(`${ops.length} operations, ${states} distinct states`);
      assert.equal(wrong.join('\n'), '');
    }
  });

  for (const what of ['accept', 'overflow'])
    test(`loses no order that was acknowledged, and leaves none by half (${what})`, async (t) => {
      using folder = scratch();
      const { ops, disk } = await play(what, folder.path);
      const at = what === 'accept' ? undefined : aroundTheMove(ops);
      const { states, wrong } = await replay(ops, disk(), folder.path, opens, at ? { at } : {});
      t.diagnostic(`${ops.length} operations, ${states} distinct states`);
      assert.equal(wrong.join('\n'), '');
    });
});

describe('a fault in the order is found', { concurrency: 2, timeout: 120_000 }, () => {
  /** Lines as strace writes them. */
  const hex = (text: string) =>
    [...Buffer.from(text)].map((one) => `\\x${one.toString(16).padStart(2, '0')}`).join('');
  const fd = (path: string) => `3<${hex(path)}>`;
  const lines = {
    open: `7 openat(AT_FDCWD<${hex('/')}>, "${hex('/h/.a.new')}", O_WRONLY|O_CREAT|O_TRUNC, 0600) = ${fd('/h/.a.new')}`,
    write: `7 write(${fd('/h/.a.new')}, "${hex('text')}", 4) = 4`,
    sync: `7 fsync(${fd('/h/.a.new')}) = 0`,
    syncLate: `7 fsync(${fd('/h/a')}) = 0`,
    rename: `7 rename("${hex('/h/.a.new')}", "${hex('/h/a')}") = 0`,
    syncFolder: `7 fsync(${fd('/h')}) = 0`,
    say: `7 write(1<${hex('pipe:[1]')}>, "${hex('mark done\n')}", 10) = 10`,
  };
  const found = (...names: (keyof typeof lines)[]) =>
    outOfOrder(read(names.map((name) => lines[name]).join('\n'), '/h'), new Disk());

  test('in the text of a trace', () => {
    assert.deepEqual(found('open', 'write', 'sync', 'rename', 'syncFolder', 'say'), []);
    assert.deepEqual(found('open', 'write', 'rename', 'syncLate', 'syncFolder'), [
      'rename .a.new to a before the content of .a.new was synced',
      "sync a before the folder '' was synced",
    ]);
    assert.match(found('open', 'sync', 'write', 'rename', 'syncFolder').join(), /before the content/);
    assert.match(
      found('open', 'write', 'sync', 'rename', 'say', 'syncFolder').join(),
      /saying 'done' before/,
    );
    assert.match(found('open', 'write', 'sync', 'rename').join(), /the end before the folder/);
  });

  test('in a trace that is cut up among threads, and a failed sync is none', () => {
    const [begun, ended] = [`${lines.sync.split(')')[0]} <unfinished ...>`, '7 <... fsync resumed>) = 0'];
    const cut = [lines.open, lines.write, begun, '8 close(9) = 0', ended, lines.rename, lines.syncFolder];
    assert.deepEqual(outOfOrder(read(cut.join('\n'), '/h'), new Disk()), []);
    const failed = cut.with(4, '7 <... fsync resumed>) = -1 EIO (Input/output error)');
    assert.match(outOfOrder(read(failed.join('\n'), '/h'), new Disk()).join(), /before the content/);
    const between = [lines.open, begun, lines.write.replace('7', '8'), ended];
    assert.throws(() => read(between.join('\n'), '/h'), /not in order/);
  });

  test('in an acknowledgement before the sync', { skip }, async () => {
    using folder = scratch();
    const { ops, disk } = await play('accept', folder.path);
    const last = ops.findLastIndex((op) => op.do === 'sync');
    const doctored = ops.toSpliced(last, 1);
    assert.match(
      unsafeAcknowledgements(doctored, disk()).join(),
      /before the content of state.journal.db-wal/,
    );
    const { wrong } = await replay(doctored, disk(), folder.path, opens, { at: (index) => index >= last });
    assert.match(wrong.join(), /acknowledged and not there/);
  });

  test('in a switch that swaps first, or does not sync', { skip }, async () => {
    using folder = scratch();
    const { ops, disk } = await play('switch', folder.path);
    const known: Known = { phase: 'switching', facts: { holds: 1 } };
    const check = (state: State) => starts(state, known, ['1.0.0 switch', '1.1.0 watch']);
    const swap = ops.findIndex((op) => op.do === 'link' && op.path === '.current.new');
    const swapFirst = [...ops.slice(swap, swap + 3), ...ops.slice(0, swap)];
    const first = await replay(swapFirst, disk(), folder.path, check);
    assert.match(first.wrong.join('\n'), /1\.1\.0 starts without a trial/);
    const notSynced = ops.filter((op) => !(op.do === 'sync' && op.path === 'state/.trial.new'));
    const second = await replay(notSynced, disk(), folder.path, check);
    assert.match(second.wrong.join('\n'), /1\.0\.0 starts and would .*unreadable trial/);
  });
});
