import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, type TaskNow } from '../src/dispatcher/tasks.ts';
import type { Progress, Result } from '../src/lib/messages.ts';

const host = 'db-01';
const id = '01900000-0000-7000-8000-000000000001';
const boot = '01900000-0000-4000-8000-00000000000b';
const task: TaskNow = { id, host, type: 'ping', state: 'queued', seq: 0, args: {}, probeNonce: null };
const upgrade: TaskNow = {
  ...task,
  type: 'client_upgrade',
  state: 'running',
  args: { to: '1.1.0' },
  probeNonce: 'n1',
};

const progress = (seq: number, state: Progress['state']): Progress => {
  return { kind: 'progress', v: 1, task: id, host, seq, at: 1, state };
};
const result = (seq: number, state: Result['state'], more: Partial<Result> = {}): Result => {
  return { kind: 'result', v: 1, task: id, host, seq, at: 1, state, running: '1.1.0', ...more };
};

test('a task moves forward with what its host says', () => {
  assert.equal(advance(task, progress(1, 'accepted'))?.state, 'accepted');
  assert.equal(advance({ ...task, state: 'pending' }, progress(1, 'accepted'))?.state, 'accepted');
  assert.equal(advance({ ...task, state: 'accepted', seq: 1 }, result(2, 'failed'))?.state, 'failed');
});

test('old news change nothing, whoever brings them and however often', () => {
  assert.equal(advance({ ...task, state: 'running', seq: 2 }, progress(1, 'accepted')), undefined);
  assert.equal(advance({ ...task, state: 'running', seq: 2 }, progress(2, 'running')), undefined);
});

test('newer news never move a state back', () => {
  assert.equal(advance({ ...task, state: 'running', seq: 2 }, progress(3, 'accepted'))?.state, 'running');
  assert.equal(
    advance({ ...task, state: 'cancelling', seq: 2 }, progress(3, 'running'))?.state,
    'cancelling',
  );
});

test('what has ended stays as it ended', () => {
  for (const state of ['succeeded', 'failed', 'cancelled', 'skipped', 'undeliverable', 'rejected'] as const) {
    assert.equal(advance({ ...task, state, seq: 2 }, result(3, 'succeeded')), undefined);
    assert.equal(advance({ ...task, state, seq: 2 }, progress(3, 'running')), undefined);
  }
});

test('a late result overwrites a guess of ours, and is marked late', () => {
  for (const state of ['expired', 'lost'] as const) {
    const change = advance({ ...task, state, seq: 2 }, result(3, 'succeeded'));
    assert.deepEqual([change?.state, change?.late], ['succeeded', true]);
    assert.equal(advance({ ...task, state, seq: 2 }, progress(3, 'running')), undefined);
  }
});

test('an upgrade without the answer to our probe is not believed', () => {
  const proof = { nonce: 'n1', boot, version: '1.1.0' };
  assert.equal(advance(upgrade, result(1, 'succeeded', { proof }))?.state, 'succeeded');
  assert.equal(advance(upgrade, result(1, 'succeeded'))?.state, 'failed');
  assert.equal(
    advance(upgrade, result(1, 'succeeded', { proof: { ...proof, nonce: 'n2' } }))?.state,
    'failed',
  );
  assert.equal(
    advance(upgrade, result(1, 'succeeded', { proof: { ...proof, version: '1.0.0' } }))?.state,
    'failed',
  );
  const unprobed = { ...upgrade, probeNonce: null };
  assert.match(advance(unprobed, result(1, 'succeeded', { proof }))?.reason ?? '', /^unproved/);
});
