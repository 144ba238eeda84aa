import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Task } from '../src/cli/answers.ts';
import { estimate, type Forecast, forecastOf, type Would } from '../src/cli/upgrade/forecast.ts';
import { limits } from '../src/lib/limits.ts';

const fleet = (...waves: number[]): Forecast[] =>
  waves.flatMap((hosts, i) => Array.from({ length: hosts }, () => forecast('upgrade', i + 1)));
const forecast = (would: Would, wave = 1): Forecast => {
  return { host: 'h', wave, would, from: '1.0.0', bytes: 1, runtimeBytes: 0, reason: null };
};
const estimated = (hosts: Forecast[], more: object = {}) => estimate(hosts, limits.parse(more), 10_000);

test('an upgrade takes as long as its waves one after the other, and each as long as its turns', () => {
  assert.deepEqual(estimated(fleet(1, 9, 90)), { ms: 30_000, pausesMs: 0, approvals: 0 });
  assert.equal(estimated(fleet(1, 9, 90), { maxConcurrency: 10 }).ms, 10_000 + 10_000 + 90_000);
  assert.equal(estimated(fleet(101), { rate: 2 }).ms, 50_000 + 10_000);
});

test('an upgrade takes its pauses besides, and tells how often somebody must approve', () => {
  const paused = estimated(fleet(1, 9, 90), { pauseBetween: 60_000 });
  assert.deepEqual(paused, { ms: 150_000, pausesMs: 120_000, approvals: 0 });
  assert.deepEqual(estimated(fleet(1, 9), { pauseBetween: 'approve' }), {
    ms: 20_000,
    pausesMs: 0,
    approvals: 1,
  });
});

test('an upgrade takes no time for hosts that are away, refuse, or run the version', () => {
  const idle = (['nothing', 'wait', 'refuse', 'postpone', 'silent'] as const).map((would) => forecast(would));
  assert.equal(estimated(idle).ms, 0);
});

test('what a host says of an upgrade is told by one word', () => {
  const said = (state: string, more: Partial<Task> = {}) =>
    forecastOf({ host: 'h', state, phase: null, reason: null, args: {}, output: null, ...more } as Task)
      .would;
  assert.equal(said('succeeded'), 'upgrade');
  assert.equal(said('rejected', { reason: 'no space' }), 'refuse');
  assert.equal(said('rejected', { phase: 'postponed' }), 'postpone');
  assert.equal(said('rejected', { reason: 'unknown task type "check_upgrade"; known: ping' }), 'unknown');
  assert.equal(said('skipped', { args: { instead: 'nothing' } }), 'nothing');
  assert.equal(said('skipped', { args: { instead: 'away' } }), 'wait');
  assert.equal(said('expired'), 'wait');
  assert.equal(said('timed_out'), 'silent');
  assert.equal(said('lost'), 'silent');
});
