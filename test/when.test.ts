import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lastTime, nextTime, nextTimes } from '../src/lib/when/next.ts';
import { readWhen, type When } from '../src/lib/when/when.ts';
import { instantsOf, isoIn, wallOf } from '../src/lib/when/zone.ts';

const now = new Date('2026-11-24T18:00:00Z');
const read = (text: string, zone = 'Europe/Berlin') => readWhen(text, { zone, now });
const next = (when: When, count = 3, after = now) =>
  nextTimes(when, count, after).map(({ at }) => isoIn(when.zone, at.getTime()).slice(0, 16));
const code = (text: string, zone?: string) => {
  try {
    return read(text, zone).text;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test('what people write is read, each in its time zone', () => {
  const written: Record<string, string[]> = {
    '2026-12-01 02:00 Asia/Shanghai': ['2026-12-01T02:00'],
    '2026-12-01T02:00:00+08:00': ['2026-11-30T19:00'],
    '2026-12-01T02:00Z': ['2026-12-01T03:00'],
    'in 1d 12h': ['2026-11-26T07:00'],
    '0 2 * * mon-fri': ['2026-11-25T02:00', '2026-11-26T02:00', '2026-11-27T02:00'],
    '0 2 * * sat Asia/Tokyo': ['2026-11-28T02:00', '2026-12-05T02:00', '2026-12-12T02:00'],
    'day 02:00': ['2026-11-25T02:00', '2026-11-26T02:00', '2026-11-27T02:00'],
    'week mon,thu 02:00': ['2026-11-26T02:00', '2026-11-30T02:00', '2026-12-03T02:00'],
    'month 1 02:00': ['2026-12-01T02:00', '2027-01-01T02:00', '2027-02-01T02:00'],
    'month 31 02:00': ['2026-12-31T02:00', '2027-01-31T02:00', '2027-03-31T02:00'],
    'Month last 2:00': ['2026-11-30T02:00', '2026-12-31T02:00', '2027-01-31T02:00'],
    '@daily': ['2026-11-25T00:00', '2026-11-26T00:00', '2026-11-27T00:00'],
  };
  for (const [text, times] of Object.entries(written)) assert.deepEqual(next(read(text)), times, text);
  assert.match(read('month 31 02:00').notes[0]!, /months without a day 31 are left out/);
  assert.deepEqual(next(read('2026-11-24 02:00')), [], 'what is over has no next time');
});

test('what cannot be meant is refused, with a word that says why', () => {
  const badTimes = ['', 'tomorrow', '61 2 * * *', '0 2 * * foo', '0 0 2 * * *', 'day 24:00', 'day 02:00 x y'];
  const badDates = [
    '2026-02-30 02:00',
    '2026-12-01',
    '2026-13-01 02:00',
    'in',
    'in 2',
    'week foo 02:00',
    'month 32 02:00',
  ];
  for (const text of [...badTimes, ...badDates]) assert.equal(code(text), 'bad_when', text);
  for (const text of ['2026-12-01 02:00 CST', 'day 02:00 Mars/Olympus', '0 2 * * * Shanghai'])
    assert.equal(code(text), 'bad_zone', text);
  assert.equal(code('day 02:00', 'Foo/Bar'), 'bad_zone');
  assert.throws(() => read('day 02:00', 'Shanghai'), /did you mean Asia\/Shanghai/);
  const firm = { zone: 'UTC', now, firm: true };
  assert.throws(() => readWhen('day 02:00 Asia/Shanghai', firm), /Asia\/Shanghai, and UTC was asked for/);
});

test('what is saved is read as the same again, at any time', () => {
  const texts = [
    '2026-12-01 02:00',
    'in 90m',
    '*/7 3 * * *',
    'day 02:30',
    'week sun 23:59',
    'month last 00:00',
  ];
  const zones = fc.constantFrom('Asia/Shanghai', 'America/St_Johns', 'Australia/Lord_Howe', 'UTC');
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      zones,
      fc.date({ min: now, noInvalidDate: true }),
      (text, zone, later) => {
        const first = readWhen(text, { zone, now });
        const again = readWhen(first.text, { zone: first.zone, now: later });
        assert.deepEqual({ ...again, notes: [] }, { ...first, notes: [] });
      },
    ),
  );
});

/** The clocks of Berlin are put forward from 02:00 to 03:00 on 2027-03-28 and back from 03:00 to 02:00 on 2027-10-31. */
test('in spring a time that does not exist is kept at the end of the gap, and that is told', () => {
  const eve = new Date('2027-03-27T12:00:00Z');
  const [gap, after] = nextTimes(read('day 02:30'), 2, eve);
  assert.deepEqual(
    [gap!.at.toISOString(), after!.at.toISOString()],
    ['2027-03-28T01:00:00.000Z', '2027-03-29T00:30:00.000Z'],
  );
  assert.equal(
    gap!.note,
    '02:30 does not exist, as the clocks are put forward from 02:00 to 03:00: it is done at 03:00',
  );
  assert.equal(after!.note, null);
  const several = nextTimes(read('0,30 2,3 * * *'), 3, eve).map(({ at }) => at.toISOString().slice(8, 16));
  assert.deepEqual(several, ['28T01:00', '28T01:30', '29T00:00'], 'none of them twice');
  const once = read('2027-03-28 02:30');
  assert.equal(once.kind === 'once' && once.at.toISOString(), '2027-03-28T01:00:00.000Z');
  assert.match(once.notes[0]!, /02:30 on Sun 2027-03-28 does not exist in Europe\/Berlin.*done at 03:00/);
  const midnight = nextTimes(read('day 00:00', 'America/Sao_Paulo'), 1, new Date('2018-11-03T12:00:00Z'));
  assert.match(midnight[0]!.note!, /00:00 does not exist.*done at 01:00/);
});

test('in autumn a time that comes twice counts once, and what is done every so often is done both times', () => {
  const eve = new Date('2027-10-30T22:00:00Z');
  const [twice, after] = nextTimes(read('30 2 * * *'), 2, eve);
  assert.deepEqual(
    [twice!.at.toISOString(), after!.at.toISOString()],
    ['2027-10-31T00:30:00.000Z', '2027-11-01T01:30:00.000Z'],
  );
  assert.equal(twice!.note, '02:30 comes twice, as the clocks are put back: it is done the first time only');
  const hourly = nextTimes(read('0 * * * *'), 5, eve);
  assert.deepEqual(
    hourly.map(({ at }) => at.getUTCHours()),
    [23, 0, 1, 2, 3],
    'an hour apart, whatever the clocks show',
  );
  assert.deepEqual(
    hourly.map(({ note }) => note?.match(/first|second/)?.[0] ?? null),
    [null, 'first', 'second', null, null],
  );
  const once = read('2027-10-31 02:30');
  assert.match(once.notes[0]!, /comes twice.*the first time; the second is 2027-10-31T02:30:00\+01:00/);
});

const zone = fc.constantFrom(
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Havana',
  'Asia/Shanghai',
);
const minute = fc.integer({ min: 0, max: 59 });
const hour = fc.integer({ min: 0, max: 23 });

test('a time of the day comes on each day exactly once, also when clocks are put forward or back', () => {
  fc.assert(
    fc.property(zone, minute, hour, (where, m, h) => {
      const when = readWhen(`${m} ${h} * * *`, { zone: where, now });
      const days = nextTimes(when, 370, now).map(({ at }) => isoIn(where, at.getTime()).slice(0, 10));
      assert.equal(new Set(days).size, days.length);
      const span = (Date.parse(days.at(-1)!) - Date.parse(days[0]!)) / 86_400_000;
      assert.equal(span, days.length - 1, 'no day is left out');
    }),
    { numRuns: 15 },
  );
});

test('looking back finds the time that looking forward has found', () => {
  const pattern = fc.oneof(
    fc.tuple(minute, hour).map(([m, h]) => `${m} ${h} * * *`),
    fc.integer({ min: 1, max: 59 }).map((n) => `*/${n} * * * *`),
    fc.tuple(minute, fc.integer({ min: 0, max: 6 })).map(([m, d]) => `${m} 2 * * ${d}`),
  );
  const at = fc.date({ min: new Date('2026-01-01'), max: new Date('2028-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(zone, pattern, at, (where, text, after) => {
      const when = readWhen(text, { zone: where, now });
      const found = nextTime(when, after)!;
      assert.ok(found > after);
      assert.deepEqual(lastTime(when, found), found);
      const before = lastTime(when, new Date(found.getTime() - 1));
      assert.ok(before === null || before <= after, 'nothing lies between');
    }),
    { numRuns: 300 },
  );
});

test('an instant is found again from what clocks show then', () => {
  const at = fc.integer({ min: 1_700_000_000, max: 1_900_000_000 }).map((seconds) => seconds * 1000);
  fc.assert(
    fc.property(zone, at, (where, instant) => {
      assert.ok(instantsOf(where, wallOf(where, instant)).includes(instant));
      assert.equal(Date.parse(isoIn(where, instant)), instant);
    }),
  );
});
