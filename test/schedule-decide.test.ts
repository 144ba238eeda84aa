import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide, isTooLate, ON_TIME_MS, PATIENCE_MS } from '../src/dispatcher/schedules/decide.ts';
import { countTimes, nextTime } from '../src/lib/when/next.ts';
import { readWhen } from '../src/lib/when/when.ts';

const MINUTE_MS = 60_000;
const daily = { timing: 'day 02:00', zone: 'UTC', missed: 'skip', graceMs: 0 } as const;
const at = (text: string) => new Date(`2026-11-${text}:00.000Z`);
const told = (schedule: Parameters<typeof decide>[0], running?: string) =>
  decide(schedule, running).firings.map(({ dueAt, state }) => `${dueAt.toISOString().slice(8, 16)} ${state}`);

test('a time that has just come is fired, and the next one is known', () => {
  const { firings, next } = decide({ ...daily, nextDueAt: at('25T02:00'), now: at('25T02:00') }, undefined);
  assert.deepEqual(firings, [{ dueAt: at('25T02:00'), state: 'due', reason: null }]);
  assert.deepEqual(next, at('26T02:00'));
});

test('a time that nobody could fire is left out, or made up for within the grace, and told either way', () => {
  const late = { ...daily, nextDueAt: at('25T02:00'), now: at('25T05:00') };
  assert.deepEqual(told(late), ['25T02:00 missed']);
  const within = { ...late, missed: 'run', graceMs: 3 * 3_600_000 } as const;
  assert.deepEqual(told(within), ['25T02:00 due']);
  assert.match(decide(within, undefined).firings[0]!.reason!, /made up for, 3 h 00 m late/);
  assert.deepEqual(told({ ...within, now: at('25T05:01') }), ['25T02:00 missed']);
});

test('of several missed times only the latest may be made up for, and how many there were is told', () => {
  const late = { ...daily, nextDueAt: at('22T02:00'), now: at('25T03:00') };
  const skip = decide(late, undefined).firings;
  assert.deepEqual(told(late), ['25T02:00 missed']);
  assert.match(skip[0]!.reason!, /and so were 3 before it, since 2026-11-22T02:00:00\+00:00/);
  const run = { ...late, missed: 'run', graceMs: 24 * 3_600_000 } as const;
  assert.deepEqual(told(run), ['24T02:00 missed', '25T02:00 due']);
  assert.match(decide(run, undefined).firings[0]!.reason!, /and so were 2 before it/);
});

test('a time is skipped while what came before it has not ended, and a missed one stays missed', () => {
  const due = { ...daily, nextDueAt: at('25T02:00'), now: at('25T02:00') };
  assert.deepEqual(told(due, 'job x'), ['25T02:00 skipped']);
  assert.equal(decide(due, 'job x').firings[0]!.reason, 'job x has not ended');
  assert.deepEqual(told({ ...due, now: at('25T02:02') }, 'job x'), ['25T02:00 missed']);
});

test('what comes once is over when it was fired, and what cannot be read any more fails and is told', () => {
  const once = {
    ...daily,
    timing: '2026-11-25T02:00:00+00:00',
    nextDueAt: at('25T02:00'),
    now: at('25T02:00'),
  };
  assert.equal(decide(once, undefined).next, null);
  const broken = decide({ ...once, zone: 'Mars/Olympus', timing: 'day 02:00' }, undefined);
  assert.equal(broken.firings[0]!.state, 'failed');
  assert.equal(broken.next, null);
});

test('a job that cannot be made is tried for ten minutes, or until the grace has passed', () => {
  const firing = { dueAt: at('25T02:00'), firedAt: at('25T02:00') };
  const tooLate = (ms: number, graceMs: number) => {
    const rule = { missed: graceMs > 0 ? 'run' : 'skip', graceMs } as const;
    return isTooLate(firing, { ...rule, now: new Date(firing.dueAt.getTime() + ms) });
  };
  assert.deepEqual([tooLate(PATIENCE_MS, 0), tooLate(PATIENCE_MS + 1, 0)], [false, true]);
  assert.deepEqual([tooLate(3_600_000, 3_600_000), tooLate(3_600_001, 3_600_000)], [false, true]);
});

/** Dispatchers look now and then, with outages in between; whoever looks knows only what the one before has saved. */
test('whenever dispatchers look, each time is fired at most once, never too late, and none is lost untold', () => {
  const pattern = fc.constantFrom('*/7 * * * *', '0 * * * *', '30 2,14 * * *', '*/30 1-3 * * *');
  /** Of days on which clocks in Berlin are put forward and back. */
  const eve = fc.constantFrom(new Date('2027-03-27T20:00:00Z'), new Date('2027-10-30T20:00:00Z'));
  const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York');
  const pauses = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 90_000 }), fc.integer({ min: 1, max: 86_400_000 })),
    { minLength: 1, maxLength: 12 },
  );
  const rule = fc.record({
    missed: fc.constantFrom('skip' as const, 'run' as const),
    graceMs: fc.integer({ min: MINUTE_MS, max: 86_400_000 }),
  });
  fc.assert(
    fc.property(pattern, zone, eve, pauses, rule, (timing, where, start, waits, { missed, graceMs }) => {
      const when = readWhen(timing, { zone: where, now: start });
      let now = start.getTime();
      let next = nextTime(when, start);
      let counted = 0;
      let all = true;
      const rows = new Map<number, string>();
      for (const wait of waits) {
        now += wait;
        if (next === null || next.getTime() > now) continue;
        const schedule = { timing, zone: where, missed, graceMs, nextDueAt: next, now: new Date(now) };
        const decision = decide(schedule, undefined);
        for (const { dueAt, state, reason } of decision.firings) {
          assert.ok(!rows.has(dueAt.getTime()), 'a time is written down once');
          rows.set(dueAt.getTime(), state);
          const allowedMs = missed === 'run' ? graceMs : ON_TIME_MS;
          if (state === 'due') assert.ok(now - dueAt.getTime() <= allowedMs, 'it is not too late');
          if (reason?.includes('more than')) all = false;
          counted += 1 + Number(/were (\d+) before/.exec(reason ?? '')?.[1] ?? 0);
        }
        next = decision.next;
        assert.ok(next !== null && next.getTime() > now);
      }
      const come = countTimes(when, start, next!, 500);
      if (all && come < 500) assert.equal(counted, come, 'each time that came is accounted for');
    }),
    { numRuns: 40 },
  );
});
