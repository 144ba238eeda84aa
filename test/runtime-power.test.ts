// A runtime is on disk as a whole before it gets its name, and loses its name before the first of its files.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { platform } from '../src/lib/utils.ts';
import { runtime, scratch } from './support/durability/home.ts';
import { follow } from './support/durability/order.ts';
import { play } from './support/durability/play.ts';
import { replay } from './support/durability/replay.ts';
import { cannotTrace, type Op } from './support/durability/trace.ts';
import { runtimePackage } from './support/runtimes.ts';

const skip = cannotTrace() ?? false;
const place = `runtimes/node-24.0.1-${platform()}`;
const program = Buffer.from('#!/bin/sh\n'.repeat(20_000));

const prepare = (root: string) =>
  writeFileSync(join(root, 'package.tar.gz'), runtimePackage('node-24.0.1', program));
const says = (text: string) => (op: Op) => op.do === 'say' && op.text === text;
/** Under its name is the whole of it. (The disk of these tests knows no modes; they are set before the sync.) */
const isWhole = (root: string) =>
  existsSync(join(root, place, 'manifest.json')) &&
  readFileSync(join(root, place, 'bin', 'node')).equals(program);

describe('a runtime that comes to a host and goes again', { skip, concurrency: 2, timeout: 120_000 }, () => {
  test('is on disk before it gets its name, and its name is gone before its files are', async () => {
    using folder = scratch();
    const { ops, disk } = await play('runtime', folder.path, prepare);
    const named = ops.findIndex((op) => op.do === 'rename' && op.to === place);
    const unnamed = ops.findIndex((op) => op.do === 'rename' && op.path === place);
    assert.ok(named > 0 && unnamed > ops.findIndex(says('staged')), 'it came and went');
    follow(ops, disk(), (op, disk, index) => {
      if (index === named && op.do === 'rename') {
        const unsafe = disk.unsafe(op.path).filter((one) => one !== `the name ${op.path}`);
        assert.deepEqual(unsafe, [], 'not synced when it got its name');
      }
      if (says('staged')(op)) assert.deepEqual(disk.unsafe(place), []);
      if (index > unnamed && op.do === 'unlink') assert.deepEqual(disk.unsafe(place), []);
    });
  });

  test('is whole under its name, or not there, whenever the power is lost', async (t) => {
    using folder = scratch();
    const { ops, disk } = await play('runtime', folder.path, prepare);
    let met = 0;
    const { states, wrong } = await replay(ops, disk(), folder.path, ({ path }) => {
      if (!existsSync(join(path, `runtimes/${runtime}-${platform()}/bin/node`)))
        return 'the one in use is gone';
      if (!existsSync(join(path, place))) return undefined;
      met++;
      return isWhole(path) ? undefined : 'a part of a runtime';
    });
    t.diagnostic(`${ops.length} operations, ${states} distinct states, in ${met} of them it is there`);
    assert.equal(wrong.join('\n'), '');
    assert.ok(met > 0 && met < states);
  });
});
