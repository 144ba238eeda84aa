import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endings } from '../src/dispatcher/endings.ts';

const LONG_MS = 60_000;

test('who waits for a job is told when this dispatcher records its end, and not of others', async () => {
  const endings = new Endings();
  let state = 'running';
  let looks = 0;
  const looked = Promise.withResolvers<void>();
  const ended = async () => {
    looks++;
    looked.resolve();
    return state === 'succeeded';
  };
  const waiting = endings.wait('a', LONG_MS, ended);
  await looked.promise;
  endings.tell(['b']);
  assert.equal(looks, 1);
  state = 'succeeded';
  endings.tell(['b', 'a']);
  await waiting;
  assert.equal(looks, 2);
});

test('an end that another dispatcher recorded is found by looking again', async () => {
  let looks = 0;
  await new Endings().wait('a', LONG_MS, async () => ++looks === 3);
  assert.equal(looks, 3);
});

test('an end between the look and the waiting is not missed', async () => {
  const endings = new Endings();
  let looks = 0;
  const began = performance.now();
  await endings.wait('a', LONG_MS, async () => {
    if (++looks === 2) return true;
    endings.tell(['a']); // recorded after the row was read
    return false;
  });
  assert.ok(performance.now() - began < 200, 'it did not wait for the next look');
});

test('waiting ends when its time is up, ended or not', async () => {
  const began = performance.now();
  await new Endings().wait('a', 300, async () => false);
  assert.ok(performance.now() - began >= 299);
});

test('a database that is away is told to who waits', async () => {
  await assert.rejects(
    new Endings().wait('a', LONG_MS, () => Promise.reject(new Error('away'))),
    /away/,
  );
});
