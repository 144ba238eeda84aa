import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { inWaves } from '../src/dispatcher/jobs/start.ts';
import { carefully } from '../src/dispatcher/jobs/upgrade.ts';
import { limits, saysNothing, waveSizes } from '../src/lib/limits.ts';
import { happenings, JobEvents, someLimits } from './support/job-events.ts';

const RUNS = process.env.MEGA_TEST_LONG ? 10_000 : 1_500;
const hosts = fc.array(fc.boolean(), { minLength: 1, maxLength: 25 });

describe('whatever hosts, dispatchers and operators do,', () => {
  test('no limit of a job is broken, no host starts twice, and waves begin one after the other', () => {
    fc.assert(
      fc.property(hosts, someLimits, happenings(250), (online, wanted, events) => {
        const job = new JobEvents(online, wanted);
        for (const one of events) job.happen(one);
      }),
      { numRuns: RUNS },
    );
  });

  test('a job has an end, though nobody ever answers, resumes or approves any more', () => {
    fc.assert(
      fc.property(hosts, someLimits, happenings(60), (online, wanted, events) => {
        const job = new JobEvents(online, wanted);
        for (const one of events) job.happen(one);
        job.frozen = false;
        job.runOut();
      }),
      { numRuns: RUNS / 3 },
    );
  });

  test('a job whose hosts answer well takes all of them, in order of its waves', () => {
    fc.assert(
      fc.property(hosts, someLimits, (online, wanted) => {
        const job = new JobEvents(online, { ...wanted, pauseBetween: 10 });
        for (let i = 0; job.state !== 'ended' && i < 5_000; i++) {
          job.online.fill(true);
          for (const event of ['look', 'claim', 'confirm', 'good', 'time'] as const)
            job.happen({ event, which: 1 });
        }
        assert.equal(job.state, 'ended');
        assert.ok(job.tasks.every((task) => task.state === 'succeeded' && job.begun.get(task.id) === 1));
      }),
      { numRuns: RUNS / 10 },
    );
  });
});

describe('the waves of a job', () => {
  const planned = (online: boolean, state: 'pending' | 'skipped' = 'pending') => {
    return { id: 'x', host: 'h', online, args: {}, state, reason: null, fromVersion: null };
  };

  test('are what was asked for in hosts and per cent, none of them empty, and together all hosts', () => {
    assert.deepEqual(waveSizes([1, '10%', '100%'], 200), [1, 19, 180]);
    assert.deepEqual(waveSizes([1, '10%'], 5), [1, 4]);
    assert.deepEqual(waveSizes(undefined, 3), [3]);
    assert.deepEqual(waveSizes(['1%'], 0), []);
  });

  test('take hosts that are there first, and what need not be touched stands with the last', () => {
    const tasks = [planned(false), planned(true, 'skipped'), planned(true), planned(true)];
    const waves = inWaves(tasks, [1, 2]).map(({ wave, state }) => `${wave} ${state}`);
    assert.deepEqual(waves, ['1 pending', '2 pending', '2 pending', '2 skipped']);
  });

  test('are careful with a fleet whose operator said nothing, and keep to all that was said', () => {
    assert.equal(carefully(undefined, 10), undefined);
    assert.deepEqual(carefully(undefined, 11)?.waves, [1, '10%', '100%']);
    const said = limits.parse({ maxErrors: 3, retries: 2 });
    assert.deepEqual(carefully(said, 11), { ...said, waves: [1, '10%', '100%'] });
    const all = limits.parse({ waves: ['100%'] });
    assert.ok(saysNothing(carefully(all, 5_000)!));
  });
});
