import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../src/agent/journal.ts';
import type { Room } from '../src/agent/room.ts';
import { judge, needsArbiter } from '../src/agent/upgrade/judge.ts';
import { type Ground, nextStep } from '../src/agent/upgrade/plan.ts';
import { skippedOf } from '../src/agent/upgrade/preflight.ts';
import { Probes } from '../src/agent/upgrade/watch.ts';
import { homeAt } from '../src/lib/home.ts';
import { type Order, PHASES, type UpgradeArgs } from '../src/lib/messages.ts';

const task = '01900000-0000-7000-8000-000000000001';
const ground: Ground = {
  ...{ task, phase: null, me: '1.0.0', to: '1.1.0' },
  ...{ facts: { holds: 1 }, trial: undefined, failed: undefined },
};
const proof = { nonce: 'n', boot: '01900000-0000-4000-8000-00000000000b', version: '1.1.0' };
const trial = (verdict = '') => ({ task, from: '1.0.0', to: '1.1.0', verdict });

test('until the switch every phase is begun anew, for all of them may be run again', () => {
  for (const phase of [null, 'preflight', 'downloading', 'verifying', 'staging'] as const) {
    assert.equal(nextStep({ ...ground, phase }).do, 'prepare');
  }
});

test('died between opening the trial and the swap, the old process switches again', () => {
  assert.equal(nextStep({ ...ground, phase: 'switching' }).do, 'switch');
  assert.equal(nextStep({ ...ground, phase: 'switching', failed: trial('not_switched') }).do, 'switch');
});

test('the new process on trial watches, whichever phase the old one died in', () => {
  for (const phase of ['switching', 'restarting', 'watching'] as const) {
    assert.equal(nextStep({ ...ground, phase, me: '1.1.0', trial: trial() }).do, 'watch');
  }
});

test('a proof that was written down completes the upgrade, though the process that gave it died', () => {
  const facts = { holds: 1, proof };
  assert.equal(nextStep({ ...ground, phase: 'watching', me: '1.1.0', facts }).do, 'complete');
  assert.equal(nextStep({ ...ground, phase: 'watching', me: '1.1.0', facts, trial: trial() }).do, 'complete');
});

test('back in the previous release, the loader’s word is judged', () => {
  for (const verdict of ['crashed exit 1', 'hung 20 ticks', 'silent 30 ticks']) {
    for (const phase of ['switching', 'restarting', 'watching', 'rolling_back'] as const) {
      assert.deepEqual(nextStep({ ...ground, phase, failed: trial(verdict) }), { do: 'judge', verdict });
    }
  }
});

test('a verdict that was heard is judged again after a crash, though the loader’s file is gone', () => {
  const facts = { holds: 1, verdict: 'hung 20 ticks' };
  assert.deepEqual(nextStep({ ...ground, phase: 'rolling_back', facts }), {
    do: 'judge',
    verdict: 'hung 20 ticks',
  });
});

test('a trial that lost its task is ours; one of another task is not', () => {
  const lost = { ...trial('unreadable trial'), task: 'unknown' };
  assert.equal(nextStep({ ...ground, phase: 'watching', failed: lost }).do, 'judge');
  const other = { ...trial('hung 3 ticks'), task: 'another' };
  assert.equal(nextStep({ ...ground, phase: 'switching', failed: other }).do, 'switch');
});

test('there is a next step for every phase in either release', () => {
  for (const phase of [null, ...PHASES]) {
    for (const me of ['1.0.0', '1.1.0']) assert.ok(nextStep({ ...ground, phase, me }).do);
  }
});

test('a crash and a hang need no arbiter, silence and a lost word do', () => {
  for (const verdict of ['crashed exit 1', 'crashed signal KILL', 'hung 9 ticks'])
    assert.equal(needsArbiter(verdict), false);
  for (const verdict of ['silent 9 ticks', 'silent', 'not_switched'])
    assert.equal(needsArbiter(verdict), true);
});

const steady = 3_600_000;
/** A room whose dispatcher answers, and has been listening for so long. */
const roomOf = (steadyMs: number) =>
  ({
    version: '1.0.0',
    home: homeAt('/nonexistent'),
    boot: proof.boot,
    logger: { info: () => undefined },
    trust: { keyOf: async () => undefined },
    call: async () => ({ time: 0, probed: false, steadyMs }),
  }) as unknown as Room;

async function judged(verdict: string, facts: Ground['facts'], steadyMs = steady) {
  const about = { verdict, facts, to: '1.1.0', trial: { starts: 3, seconds: 30, hangSeconds: 10 } };
  return judge(roomOf(steadyMs), about, () => undefined, new AbortController().signal);
}

test('silence is guilt only where the previous release gets through and there was service all the while', async () => {
  assert.equal((await judged('silent 30 ticks', { holds: 1 })).guilty, true);
  assert.equal((await judged('silent 30 ticks', { holds: 1 }, 20_000)).guilty, false);
  assert.equal((await judged('silent 30 ticks', { holds: 1, unreachable: 'no broker' })).guilty, false);
});

test('a torn trial, a lost word and a proof that came too late are no guilt', async () => {
  for (const verdict of ['unreadable trial', 'unreadable count', 'lost: no word', 'not_switched']) {
    assert.equal((await judged(verdict, { holds: 1 })).guilty, false);
  }
  assert.equal((await judged('silent 30 ticks', { holds: 1, proof })).guilty, false);
});

test('after three trials without a proof there is a verdict in any case', async () => {
  assert.equal((await judged('silent 30 ticks', { holds: 3, unreachable: 'no broker' })).guilty, true);
  const found = await judged('unreadable trial', { holds: 3 });
  assert.match(found.guilty ? found.reason : '', /was not proved in 3 trials \(last: unreadable trial\)/);
});

test('a probe that comes before anybody waits for it is not lost, and one for another boot is nobody’s', async () => {
  const probes = new Probes(roomOf(steady));
  const signal = new AbortController().signal;
  const probe = (boot: string) => ({ task, args: { nonce: 'n1', boot } }) as unknown as Order;
  probes.deliver(probe('01900000-0000-4000-8000-0000000000ff'));
  assert.equal(await probes.next(task, 10, signal), undefined);
  probes.deliver(probe(proof.boot));
  assert.equal(await probes.next(task, 10, signal), 'n1');
  probes.deliver({ task, args: { nonsense: true } } as unknown as Order);
});

test('a version that was gone back from is taken again once it was released since, by the clock of the dispatcher', () => {
  const journal = new Journal(':memory:', 'db-01', '1.0.0');
  journal.skip('1.1.0', 'crashed');
  const skipped = (offsetMs: number, released?: number) =>
    skippedOf({ journal, clockOffsetMs: () => offsetMs } as Room, { to: '1.1.0', released } as UpgradeArgs);
  const now = Date.now();
  assert.equal(skipped(0), 'crashed');
  assert.equal(skipped(0, now - 10_000), 'crashed');
  assert.equal(skipped(0, now + 10_000), undefined);
  assert.equal(skipped(60_000, now + 10_000), 'crashed'); // our clock is a minute behind
  journal.close();
});
