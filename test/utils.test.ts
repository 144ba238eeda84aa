import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, withoutSecrets } from '../src/lib/errors.ts';
import * as utils from '../src/lib/utils.ts';

test('versions are ordered by semantic versioning, pre-releases before their release', () => {
  const ordered = [
    '1.0.0-alpha',
    '1.0.0-alpha.2',
    '1.0.0-alpha.10',
    '1.0.0-beta',
    '1.0.0',
    '1.2.0',
    '1.10.0',
  ];
  assert.deepEqual(ordered.toReversed().toSorted(utils.compareVersions), ordered);
  assert.equal(utils.compareVersions('1.2.3', '1.2.3'), 0);
});

test('ids sort by the time of their making and are UUIDs of version 7', () => {
  const [a, b] = [utils.uuidv7(1_000), utils.uuidv7(2_000)];
  assert.ok(a < b);
  assert.match(a, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('sizes and durations read as a person would say them', () => {
  const sizes = [0, 1023, 1536, 5 << 20, 150 << 20].map(utils.formatSize);
  assert.deepEqual(sizes, ['0 B', '1023 B', '1.5 KB', '5.0 MB', '150 MB']);
  const times = [850, 12_345, 245_000, 7_380_000].map(utils.formatDuration);
  assert.deepEqual(times, ['850 ms', '12.3 s', '4 m 05 s', '2 h 03 m']);
});

test('a host knows its name and the addresses at which others reach it', () => {
  assert.match(utils.get_host_name(), /^[^.A-Z]+$/);
  for (const address of utils.get_all_ip_address()) assert.doesNotMatch(address, /^(127\.|::1$|fe80:)/);
});

test('a sleep can be ended, and work has a deadline', async () => {
  const stop = new AbortController();
  const asleep = utils.sleep(60_000, stop.signal);
  stop.abort(new Error('woken'));
  await assert.rejects(asleep, /woken/);
  const never = new Promise<never>(() => undefined);
  await assert.rejects(
    utils.withDeadline(never, 5, () => new Error('late')),
    /late/,
  );
  await assert.rejects(utils.withDeadline(never, 5), { code: 'deadline', message: 'not done within 5 ms' });
});

test('an error is one line with its causes, and no password stands in it', () => {
  const cause = new Error('connect amqp://me:p@ss:word@host:5672/mega refused');
  assert.equal(
    describe(new Error('no broker', { cause })),
    'no broker: connect amqp://me:***@host:5672/mega refused',
  );
  assert.equal(
    withoutSecrets('mysql://root:hush@db/x and http://a:b@c'),
    'mysql://root:***@db/x and http://a:***@c',
  );
});

test('an endless word in an error stops nobody: it is looked through in no time', () => {
  const began = performance.now();
  for (const word of ['x', 'a.', '://x:', 'ab://x:y']) withoutSecrets(word.repeat(70_000));
  assert.ok(performance.now() - began < 5_000, 'where it was squared, one of them took ten seconds and more');
});
