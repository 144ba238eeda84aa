import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Task } from '../src/cli/answers.ts';
import { failureRows } from '../src/cli/job/failures.ts';
import { follow } from '../src/cli/job/follow.ts';
import { lineView } from '../src/cli/job/lines.ts';
import { Pace, rateOf, timeLeft } from '../src/cli/job/pace.ts';
import { screenView } from '../src/cli/job/screen.ts';
import { provedOf } from '../src/cli/job/silent.ts';
import { countsOf } from '../src/cli/job/states.ts';
import { storyOf } from '../src/cli/job/story.ts';
import { labelOf, Tracker } from '../src/cli/job/track.ts';
import { watchJob } from '../src/cli/job/watch.ts';
import { barOf, waveUnderWay } from '../src/cli/job/waves.ts';
import { heldBy } from '../src/cli/job/words.ts';
import type { Call } from '../src/lib/sender.ts';
import { AT, answering, JOB, job, largeJob, paused, seenOf, Terminal, task } from './support/watching.ts';

const HOSTILE = `no\x1b[2J\x1b]0;mine\x07\nnext\u202eline ${'x'.repeat(5000)}`;

const failedTasks = (n: number) =>
  Array.from({ length: n }, (_, i) =>
    task(`db-${String(i).padStart(4, '0')}`, 'failed', [['failed', 'rolled_back', 'crashed: exit 1']]),
  );

function lines(): { text: string[]; view: ReturnType<typeof lineView> } {
  const text: string[] = [];
  return { text, view: lineView({ write: (more) => text.push(...more.split('\n').slice(0, -1)) }) };
}

describe('what is told of each host', () => {
  test('a state is told with its phase in one or two words', () => {
    assert.equal(labelOf('running', 'downloading'), 'downloading');
    assert.equal(labelOf('accepted', null), 'accepted');
    assert.equal(labelOf('succeeded', 'completed'), 'completed');
    assert.equal(labelOf('failed', 'rolled_back'), 'rolled_back');
    assert.equal(labelOf('failed', 'staging'), 'failed in staging');
    assert.equal(labelOf('failed', 'completed'), 'failed');
  });

  test('each phase is told once, also those that passed between two looks', () => {
    const tracker = new Tracker();
    const labels = (tasks: Task[]) => tracker.update(tasks).map((one) => `${one.host} ${one.label}`);
    assert.deepEqual(labels([task('a', 'pending'), task('b', 'queued')]), ['a pending', 'b queued']);
    const later = task('a', 'running', [
      ['accepted', null],
      ['running', 'downloading'],
      ['running', 'staging'],
    ]);
    assert.deepEqual(labels([later]), ['a accepted', 'a downloading', 'a staging']);
    assert.deepEqual(labels([later]), []);
    assert.deepEqual(labels([task('b', 'expired')]), ['b expired']);
  });

  test('what has ended before anybody looked is told with the time at which it happened, not with now', () => {
    const finishedAt = new Date(AT + 60_000).toISOString();
    const said = task(
      'a',
      'succeeded',
      [
        ['running', 'staging'],
        ['succeeded', 'completed'],
      ],
      { finishedAt },
    );
    const guessed = task('b', 'lost', [], { finishedAt });
    const told = new Tracker().update([said, guessed]).map(({ label, since }) => [label, since - AT]);
    assert.deepEqual(told, [
      ['staging', 0],
      ['completed', 1_000],
      ['lost', 60_000],
    ]);
  });

  test('a success that the dispatcher does not believe ends as failed', () => {
    const [last] = new Tracker().update([task('a', 'failed', [['succeeded', 'completed']])]).toReversed();
    assert.deepEqual([last!.label, last!.failed], ['failed', true]);
  });

  test('a host that tries again has both tries told, each once, and stands where the later one is', () => {
    const tracker = new Tracker();
    const first = task(
      'a',
      'failed',
      [
        ['running', 'staging'],
        ['failed', 'staging', 'disk full'],
      ],
      { tries: 1 },
    );
    const second = task('a', 'running', [['running', 'preflight']], { id: 'a-2', tries: 2 });
    const labels = (tasks: Task[]) => tracker.update(tasks).map((one) => one.label);
    assert.deepEqual(labels([first]), ['staging', 'failed in staging']);
    assert.deepEqual(labels([second, first]), ['preflight']);
    assert.deepEqual(labels([second, first]), []);
    assert.equal(tracker.standings.get('a')!.label, 'preflight');
  });
});

describe('a bar', () => {
  const counts = fc.record({
    succeeded: fc.nat(20_000),
    failed: fc.nat(20_000),
    cancelled: fc.nat(20_000),
    running: fc.nat(20_000),
    pending: fc.nat(20_000),
  });

  test('is always as wide, shows whatever there is of each kind, and is full only when all have ended', () => {
    fc.assert(
      fc.property(counts, (counts) => {
        const hosts = Object.values(counts).reduce((sum, n) => sum + n, 0);
        const bar = barOf({ wave: 1, hosts, counts }, 30);
        assert.equal(bar.length, 32);
        const marks = { '#': counts.succeeded, x: counts.failed, '-': counts.cancelled, '>': counts.running };
        for (const [mark, n] of Object.entries(marks))
          assert.equal(bar.includes(mark), n > 0, `${mark} ${bar}`);
        assert.equal(bar.includes('.'), counts.pending > 0 || hosts === 0, bar);
      }),
    );
  });

  test('the wave under way is the last that has begun, though hosts of earlier ones are still away', () => {
    const wave = (wave: number, counts: Record<string, number>) => ({ wave, hosts: 10, counts });
    const at = (...counts: Record<string, number>[]) =>
      waveUnderWay(job({}, { waves: counts.map((one, i) => wave(i + 1, one)) })).wave;
    assert.equal(at({ pending: 10 }, { pending: 10 }), 1);
    assert.equal(at({ succeeded: 9, pending: 1 }, { running: 1, pending: 9 }, { pending: 8, skipped: 2 }), 2);
    assert.equal(at({ succeeded: 10 }, { pending: 10 }), 1);
    assert.equal(at({ succeeded: 10 }, { skipped: 10 }), 1);
  });
});

describe('pace', () => {
  test('is measured over the last minutes, anew for each wave, and says nothing from one look', () => {
    const pace = new Pace();
    pace.see(0, 1, 0);
    assert.equal(pace.perMinute, undefined);
    pace.see(30_000, 1, 1);
    assert.equal(rateOf(pace.perMinute!), '2.0 hosts a minute');
    pace.see(31_000, 2, 0);
    assert.equal(pace.perMinute, undefined);
    for (let s = 0; s <= 3600; s += 10)
      pace.see(40_000 + s * 1000, 2, s < 1800 ? s * 10 : 18_000 + (s - 1800));
    assert.equal(rateOf(pace.perMinute!), '60 hosts a minute');
    assert.equal(timeLeft(600, pace.perMinute!), 'about 10 m');
  });

  test('of a wave that began before the watching counts from its beginning', () => {
    const pace = new Pace();
    pace.see(1_000, 2, 50, 60_000);
    assert.equal(pace.perMinute, 50);
  });

  test('tells for how long no host has ended', () => {
    const pace = new Pace();
    pace.see(0, 1, 7);
    pace.see(1_000, 1, 8);
    pace.see(61_000, 1, 8);
    assert.equal(pace.stillMs, 60_000);
    assert.equal(timeLeft(3, 0), undefined);
  });
});

describe('on a terminal', () => {
  test('a paused job of ten thousand hosts fits into 80 by 24, with why it waits and whole commands', () => {
    const terminal = new Terminal();
    const view = screenView(terminal);
    const slowest = [task('db-9', 'running', [['running', 'downloading']])];
    view.show(seenOf(largeJob(paused), { failed: failedTasks(20), slowest }));
    const { picture } = terminal;
    assert.ok(picture.length < 24, picture.join('\n'));
    for (const line of picture) assert.ok([...line].length < 80, line);
    const text = picture.join('\n');
    assert.match(text, /^ {2}wave 2 \[#+x>+\.+\] 599 of 999 ended, 10 failed$/m);
    assert.match(text, /^ {2}wave 3 \[\.+\] 0 of 9000 ended$/m);
    assert.match(text, /^ {2}errors: 10, limit 9 \(1% of the 999 hosts of wave 2\): 2 failed,/m);
    assert.match(text, /^ {2}paused: 10 errors in wave 2/m);
    for (const what of ['show', 'resume', 'cancel'])
      assert.ok(text.includes(`mega job ${what} ${JOB}`), what);
    assert.ok(text.includes(`mega job retry ${JOB} --failed`));
    assert.match(text, /^ {4}rolled_back: crashed: exit 1\n {6}db-0000 db-0001 /m);
    assert.match(text, new RegExp(`^ {4}and \\d+ more: mega job show ${JOB}$`, 'm'));
    assert.match(text, /watching goes on/);
  });

  test('a job under way shows its pace, what is left, its slowest hosts, and no more than that', () => {
    const terminal = new Terminal();
    const view = screenView(terminal);
    const waves = largeJob().waves!;
    waves[1]!.startedAt = new Date(Date.now() - 120_000).toISOString();
    const startedAt = new Date(Date.now() - 190_000).toISOString();
    const slowest = [task('db-9', 'running', [['running', 'downloading']], { startedAt })];
    view.show(seenOf(largeJob({ waves }), { slowest }));
    const text = terminal.picture.join('\n');
    assert.match(
      text,
      /(2[89]\d|300) hosts a minute, about 8\d s left in this wave; 9000 hosts in 1 later wave/,
    );
    assert.match(text, /^ {2}slowest:\n {4}db-9 downloading for 3 m$/m);
    assert.doesNotMatch(text, /paused|mega job resume/);
  });

  test('the view is rewritten in place, failures first, and fits a small terminal', () => {
    const terminal = Object.assign(new Terminal(), { columns: 60, rows: 10 });
    const view = screenView(terminal);
    const many = Array.from({ length: 30 }, (_, i) => task(`h${i}`, 'running', [['running', 'staging']]));
    const bad = task('bad', 'failed', [['failed', 'staging', 'no '.repeat(50)]]);
    view.show(seenOf(job({ running: 30, failed: 1 }), { tasks: [...many, bad] }));
    const first = terminal.picture;
    view.show(seenOf(job({ running: 30, failed: 1 }), { tasks: many }));
    assert.ok(first.length < 10 && first.every((line) => [...line].length < 60), first.join('\n'));
    assert.match(first[3]!, /bad failed in staging: no /);
    assert.match(first.at(-1)!, /and \d+ more/);
    assert.ok(terminal.written[1]!.startsWith(`\x1b[${first.length}A`));
  });

  test('a change of its size draws all anew at once, and nothing after the end', () => {
    const terminal = new Terminal();
    const view = screenView(terminal);
    view.show(seenOf(largeJob(paused), { failed: failedTasks(3) }));
    terminal.resize(40, 8);
    assert.equal(terminal.written.length, 2);
    assert.ok(terminal.written[1]!.startsWith('\x1b[2J\x1b[H'));
    assert.ok(terminal.picture.length < 8 && terminal.picture.every((line) => [...line].length < 40));
    view.close();
    terminal.resize(100, 50);
    assert.equal(terminal.written.length, 2);
  });

  test('colours are there for those who want them', () => {
    const draw = (colors: boolean) => {
      const terminal = Object.assign(new Terminal(), { colors });
      screenView(terminal).show(seenOf(largeJob(paused), { failed: failedTasks(1) }));
      return terminal.written.join('');
    };
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    const colour = /\x1b\[\d+m/;
    assert.match(draw(true), colour);
    assert.doesNotMatch(draw(false), colour);
  });

  test('what hosts and people wrote cannot leave its line', () => {
    const terminal = new Terminal();
    const reason = { state: 'paused', pausedReason: HOSTILE, target: HOSTILE };
    const bad = task(`db-1`, 'failed', [['failed', 'staging', HOSTILE]]);
    screenView(terminal).show(seenOf(largeJob(reason), { failed: [bad], slowest: [bad] }));
    screenView(terminal).show(seenOf(job({ failed: 1 }, reason), { tasks: [bad] }));
    const view = lineView(terminal);
    view.show(seenOf(largeJob(reason), { failed: [bad], slowest: [bad] }));
    view.note(HOSTILE);
    const written = terminal.written.join('');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what the view itself writes is taken away
    const left = written.replace(/\x1b\[(\?7[lh]|\d+A|0?J)|\r/g, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    assert.doesNotMatch(left, /[\x00-\x09\x0b-\x1f\u202e]/);
  });

  test('hosts that failed alike are told together, with the reason once', () => {
    const disk = task('db-7', 'failed', [['failed', 'staging', 'disk full']]);
    const { rows, told } = failureRows([...failedTasks(20), disk], 8, 40);
    assert.deepEqual(rows, [
      'rolled_back: crashed: exit 1',
      '  db-0000 db-0001 db-0002 db-0003 db-0004',
      'db-7 failed in staging: disk full',
    ]);
    assert.equal(told, 6);
    for (let room = 0; room < 5; room++)
      assert.ok(failureRows([disk, ...failedTasks(20)], room, 40).rows.length <= room);
  });

  test('many waves are told around the one under way', () => {
    const terminal = new Terminal();
    const waves = Array.from({ length: 50 }, (_, i) => {
      const counts: Record<string, number> = i < 20 ? { succeeded: 10 } : { pending: 10 };
      return { wave: i + 1, hosts: 10, counts: i === 20 ? { running: 10 } : counts };
    });
    const all = { succeeded: 200, running: 10, pending: 290 };
    screenView(terminal).show(seenOf(job(all, { waves })));
    const text = terminal.picture.join('\n');
    assert.match(text, /^ {2}19 waves before: 190 of 190 ended\n {2}wave 20 .*\n {2}wave 21 .*>/m);
    assert.match(text, /^ {2}27 waves to come: 0 of 270 ended$/m);
  });
});

describe('without a terminal', () => {
  test('each change of a host is a line with the time at which it happened, its phase and reason', () => {
    const { text, view } = lines();
    const bad = task('b', 'failed', [
      ['running', 'watching'],
      ['failed', 'rolled_back', 'crashed\nexit 1'],
    ]);
    view.show(seenOf(job({ pending: 1, failed: 1 }), { tasks: [task('a', 'pending'), bad] }));
    assert.deepEqual(text, ['03:04:05 b watching', '03:04:06 b rolled_back: crashed exit 1']);
  });

  test('waves, a pause with what can be done, and the going on are told as they come', () => {
    const { text, view } = lines();
    const waves = (first: Record<string, number>, second: Record<string, number>) => [
      { wave: 1, hosts: 1, counts: first },
      { wave: 2, hosts: 2, counts: second },
    ];
    const look = (first: Record<string, number>, second: Record<string, number>, more = {}) =>
      view.show(seenOf(job({ pending: 3 }, { waves: waves(first, second), ...more })));
    look({ running: 1 }, { pending: 2 });
    look({ succeeded: 1 }, { pending: 2 }, { waitingFor: { what: 'pause', until: null, text: 'the pause' } });
    look({ succeeded: 1 }, { pending: 2 }, { waitingFor: { what: 'pause', until: null, text: 'the pause' } });
    look({ succeeded: 1 }, { failed: 1, running: 1 });
    look({ succeeded: 1 }, { failed: 1, running: 1 }, { state: 'paused', pausedReason: 'one error' });
    look({ succeeded: 1 }, { failed: 1, running: 1 });
    assert.deepEqual(
      text.map((line) => line.slice(9)),
      [
        'wave 1 of 2 is under way',
        'wave 1 of 2 has ended: 1 succeeded',
        'waits for the pause',
        'wave 2 of 2 begins: 2 hosts',
        'the job goes on',
        'paused: one error',
        `  which and why: mega job show ${JOB}`,
        `  go on:         mega job resume ${JOB}`,
        `  failed again:  mega job retry ${JOB} --failed`,
        `  end it:        mega job cancel ${JOB}`,
        'the job goes on',
      ],
    );
  });

  test('that a job waits between two hosts is told only when it goes on waiting', () => {
    const { text, view } = lines();
    const away = { waitingFor: { what: 'hosts' as const, until: null, text: 'one host that is away' } };
    for (const more of [{}, away, {}, away, away, away, {}])
      view.show(seenOf(job({ running: 1, pending: 1 }, more)));
    assert.deepEqual(
      text.map((line) => line.slice(9)),
      ['waits for one host that is away', `  which: mega job show ${JOB}`, 'the job goes on'],
    );
  });

  test('of ten thousand hosts that fail one after the other a log gets some, and then only counts', () => {
    const { text, view } = lines();
    for (let failed = 1; failed <= 10_000; failed += 20) {
      const some = Array.from({ length: 20 }, (_, i) => task(`h-${failed + i}`, 'failed', []));
      view.show(seenOf(job({ failed, pending: 10_000 - failed }), { failed: some }));
    }
    assert.ok(text.length < 60, `${text.length} lines`);
    assert.match(text.at(-1)!, /only counted from here on.*mega job show/);
  });
});

describe('watching', () => {
  const seen = async (call: Call) => {
    const all = [];
    for await (const one of follow(call, JOB, { signal: new AbortController().signal, tasks: true }))
      all.push(one);
    return all;
  };

  test('a look at ten thousand hosts costs three calls, and never brings all of their tasks', async () => {
    const running = largeJob();
    const ended = largeJob({ state: 'partial' });
    const { call, asked } = answering({ get_job: [running, ended], get_all_task: [failedTasks(5)] });
    const looks = await seen(call);
    assert.equal(looks.length, 2);
    const ofTasks = asked.filter(({ fn }) => fn === 'get_all_task');
    assert.ok(ofTasks.length <= 4, JSON.stringify(ofTasks));
    for (const { args } of ofTasks) assert.ok((args.limit as number) <= 20 && args.events === undefined);
    assert.equal(ofTasks.filter(({ args }) => args.order === 'slowest').length, 2);
    // The counts of failures had not changed: they were not asked for again.
    assert.equal(ofTasks.filter(({ args }) => args.order === undefined).length, 1);
  });

  test('a dispatcher that does not wait for the end of a paused job is not asked without a pause', async () => {
    const { call, asked } = answering({ get_job: [job({ pending: 2 }, paused)], get_all_task: [[]] });
    const interruption = new AbortController();
    setTimeout(() => interruption.abort(new Error('enough')), 1_000);
    const watch = async () => {
      for await (const _ of follow(call, JOB, { signal: interruption.signal, tasks: true }));
    };
    await assert.rejects(watch, /enough/);
    assert.ok(asked.length <= 12, `${asked.length} calls in a second`);
  });

  const roomOf = (out: Terminal, err: Terminal) => ({
    ...{ out, err, exitCode: 0 },
    interrupt: () => new AbortController().signal,
  });

  test('without a terminal a job that pauses, or is to be approved, ends the watching with 4 and says why', async () => {
    const approval = { waitingFor: { what: 'approval' as const, until: null, text: 'approval of wave 2' } };
    const cases = [
      { more: paused, says: /paused: 10 errors[\s\S]*mega job resume/ },
      { more: approval, says: /waits for approval of wave 2[\s\S]*mega job approve/ },
    ];
    for (const { more, says } of cases) {
      const { call } = answering({ get_job: [job({ pending: 1 }, more)], get_all_task: [[]] });
      const [out, err] = [new Terminal(), new Terminal()];
      out.isTTY = err.isTTY = false;
      assert.equal(await watchJob(roomOf(out, err), call, JOB, {}), 4);
      assert.match(out.written.join(''), says);
      assert.match(err.written.join(''), /the job goes on; watch it with/);
    }
  });

  test('on a terminal the watching of a paused job goes on until it has ended', async () => {
    const states = [job({ pending: 1 }, paused), job({ succeeded: 1 }, { state: 'succeeded' })];
    const { call } = answering({ get_job: states, get_all_task: [[]] });
    const [out, err] = [new Terminal(), new Terminal()];
    assert.equal(await watchJob(roomOf(out, err), call, JOB, {}), 0);
    assert.match(out.written.join(''), /paused:[\s\S]*job \S+ succeeded in /);
  });
});

describe('what is told of a job afterwards', () => {
  test('the last thing that is proved of a task: each step implies those before it', () => {
    const [queuedAt, acceptedAt, startedAt] = [0, 1, 2].map((s) => new Date(AT + s * 1000).toISOString());
    const of = (more: Partial<Task>) => provedOf(task('a', 'lost', [], more));
    assert.equal(of({ attempts: 0 }), 'nothing, it was not sent');
    assert.equal(of({ attempts: 2 }), 'nothing, though it was sent');
    assert.equal(of({ queuedAt: queuedAt! }), 'confirmed 2026-01-02 03:04:05');
    assert.equal(of({ queuedAt: queuedAt!, acceptedAt: acceptedAt! }), 'journaled 2026-01-02 03:04:06');
    assert.equal(
      of({ queuedAt: queuedAt!, acceptedAt: acceptedAt!, startedAt: startedAt!, phase: 'staging' }),
      'started 2026-01-02 03:04:07, staging',
    );
  });

  test('of thousands that did not answer the first are told with their last sign of life, and how to see the others', () => {
    const lastSeenAt = new Date(Date.now() - 3 * 3_600_000).toISOString();
    const silent = Array.from({ length: 21 }, (_, i) => task(`h-${i}`, 'lost', [], { lastSeenAt }));
    silent[0]!.lastSeenAt = null;
    const text = storyOf({ job: largeJob(), failed: [], silent, retried: [], acts: [] }, 80);
    assert.match(text, /^h-0 +lost +never +nothing, though it was sent$/m);
    assert.match(text, /^h-1 +lost +3 h ago /m);
    assert.match(text, new RegExp(`^and more: mega task list --job ${JOB} --silent$`, 'm'));
    assert.doesNotMatch(text, /^h-20 /m);
  });

  test('waves with their times, limits, and who paused and resumed it', () => {
    const waves = largeJob().waves!;
    Object.assign(waves[0]!, {
      startedAt: '2026-01-02T03:04:05.000Z',
      finishedAt: '2026-01-02T03:04:45.000Z',
    });
    const act = { id: 1, role: 'operator', from: null, args: null, target: null, job: JOB, hosts: 1 };
    const acts = [
      { ...act, at: '2026-01-02T03:04:05.000Z', who: 'op_a', fn: 'client_upgrade', outcome: 'ok' },
      { ...act, at: '2026-01-02T03:09:05.000Z', who: 'op_b', fn: 'pause_job', outcome: 'ok' },
    ];
    const text = storyOf({ job: largeJob({ waves }), failed: [], silent: [], retried: [], acts }, 80);
    assert.match(text, /^limits +waves 1, 10%; 1% errors$/m);
    assert.match(text, /^ +1 +1 +2026-01-02 03:04:05 +40\.0 s +1 succeeded$/m);
    assert.match(text, /^2026-01-02 03:09:05 +op_b +pause_job +ok$/m);
  });

  test('states are counted in the same order, whatever order they come in', () => {
    assert.equal(countsOf({ pending: 1, failed: 2, succeeded: 3 }), '3 succeeded, 2 failed, 1 pending');
    assert.equal(countsOf({ failed: 2, succeeded: 3, pending: 1 }), '3 succeeded, 2 failed, 1 pending');
  });

  test('what holds a job is told with what can be done about it', () => {
    const waits = (what: 'frozen' | 'hosts' | 'window') =>
      heldBy(job({ pending: 1 }, { waitingFor: { what, until: null, text: 'it' } }))!.remedies.map(
        ([, one]) => one,
      );
    assert.deepEqual(waits('frozen'), ['mega unfreeze']);
    assert.deepEqual(waits('hosts'), [`mega job show ${JOB}`]);
    assert.deepEqual(waits('window'), ['mega window list']);
    assert.equal(heldBy(job({ running: 1 })), undefined);
  });
});
