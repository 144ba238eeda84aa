import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstOpening, mayBegin, opennessOf } from '../src/dispatcher/windows.ts';
import { openings, shiftNotes } from '../src/lib/when/openings.ts';
import { isOpen, nextChange, readWindow, type Window } from '../src/lib/when/window.ts';
import { isoIn, readZone } from '../src/lib/when/zone.ts';

const open = (text: string, at: string) => isOpen(readWindow(text, 'UTC'), new Date(at));
const local = (window: Window, at: Date | null) => at && isoIn(window.zone, at.getTime()).slice(0, 16);

test('a window is open by the clocks of its zone, and over midnight it belongs to the day on which it begins', () => {
  const text = 'mon-fri 22:00-04:00 Asia/Shanghai';
  assert.equal(open(text, '2026-11-27T14:00:00Z'), true, 'Friday 22:00 there');
  assert.equal(open(text, '2026-11-27T13:59:59Z'), false);
  assert.equal(open(text, '2026-11-27T19:59:59Z'), true, 'Saturday 03:59 there');
  assert.equal(open(text, '2026-11-27T20:00:00Z'), false);
  assert.equal(open(text, '2026-11-28T14:00:00Z'), false, 'Saturday 22:00 there');
  assert.equal(open(text, '2026-11-29T19:00:00Z'), false, 'Monday 03:00 there, which would be of Sunday');
});

test('a window has several ranges, and one without days takes those of the one before', () => {
  const both = 'mon-fri 22:00-24:00, sat,sun 10:00-12:00,14:00-15:00';
  const openAt = ['2026-11-27T22:30Z', '2026-11-28T10:30Z', '2026-11-29T14:30Z'];
  const closedAt = ['2026-11-28T22:30Z', '2026-11-27T10:30Z', '2026-11-27T14:30Z', '2026-11-28T00:00Z'];
  for (const at of openAt) assert.equal(open(both, at), true, at);
  for (const at of closedAt) assert.equal(open(both, at), false, at);
  assert.equal(open('fri-mon 10:00-11:00', '2026-11-29T10:00Z'), true, 'days go around the week');
  assert.equal(open('10:00-11:00', '2026-11-26T10:00Z'), true, 'every day');
  assert.equal(open('daily 10:00 - 11:00', '2026-11-26T10:00Z'), true);
});

test('what is no window is refused, with a word that says why', () => {
  const bad = [
    '',
    'mon',
    '10:00',
    'mon 10:00-10:00',
    'mon 25:00-26:00',
    'foo 10:00-11:00',
    'mon 10:00-11:60',
    'mon tue 10:00-11:00',
    'mon 10:00-11:00, tue',
  ];
  for (const text of bad) assert.throws(() => readWindow(text, 'UTC'), { code: 'bad_window' }, text);
  assert.throws(() => readWindow('mon 10:00-11:00 CST', 'UTC'), { code: 'bad_zone' });
  assert.throws(() => readWindow('mon 10:00-11:00', 'Nowhere'), { code: 'bad_zone' });
});

/** In Berlin there is no 02:00 to 03:00 on 2027-03-28, and there are two of them on 2027-10-31. */
test('in spring what lies in the gap is left out, and in autumn what comes twice is open twice', () => {
  const night = readWindow('sun 01:00-04:00', 'Europe/Berlin');
  const hours = (from: string) => {
    const [first] = openings(night, 1, new Date(from));
    return (first!.closes!.getTime() - first!.opens!.getTime()) / 3_600_000;
  };
  assert.deepEqual(
    [hours('2027-03-20T12:00Z'), hours('2027-03-27T12:00Z'), hours('2027-10-30T12:00Z')],
    [3, 2, 4],
  );
  const hour = readWindow('sun 02:00-03:00', 'Europe/Berlin');
  assert.equal(local(hour, nextChange(hour, new Date('2027-03-27T12:00Z'))), '2027-04-04T02:00');
  assert.match(
    shiftNotes(hour, new Date('2027-03-27T12:00Z'))[0]!,
    /Sun 2027-03-28: there is no 02:00 to 03:00/,
  );
  const [twice] = openings(hour, 1, new Date('2027-10-30T12:00Z'));
  assert.equal(twice!.closes!.getTime() - twice!.opens!.getTime(), 2 * 3_600_000);
  assert.match(
    shiftNotes(hour, new Date('2027-10-30T12:00Z'))[0]!,
    /Sun 2027-10-31: 02:00 to 03:00 comes twice/,
  );
  const day = readWindow('mon-fri 10:00-12:00', 'Europe/Berlin');
  assert.deepEqual(shiftNotes(day, new Date('2027-03-27T12:00Z')), [], 'what is not touched is not told');
});

const clock = (minutes: number) =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
const range = fc
  .tuple(
    fc.constantFrom('', 'mon-fri ', 'sat,sun ', 'sun '),
    fc.integer({ min: 0, max: 1439 }),
    fc.integer({ min: 0, max: 1440 }),
  )
  .filter(([, from, to]) => from !== to)
  .map(([days, from, to]) => `${days}${clock(from)}-${clock(to)}`);
/** A day before clocks are put forward or back. */
const moment = fc.constantFrom(
  ['Europe/Berlin', '2027-03-27T12:07:00Z'],
  ['Europe/Berlin', '2027-10-30T12:07:00Z'],
  ['America/New_York', '2027-03-13T22:07:00Z'],
  ['Australia/Lord_Howe', '2027-04-03T03:07:00Z'],
  ['America/Sao_Paulo', '2018-11-03T20:07:00Z'],
  ['Asia/Shanghai', '2027-03-27T12:07:00Z'],
);

test('the next change is where it changes, and nothing changes before it', () => {
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 3 }), moment, (ranges, [zone, from]) => {
      const window = readWindow(ranges.join(','), readZone(zone!));
      const after = Date.parse(from!);
      const found = nextChange(window, new Date(after))?.getTime() ?? Number.POSITIVE_INFINITY;
      const before = isOpen(window, new Date(after));
      const end = Math.min(found, after + 48 * 3_600_000);
      for (let at = after; at < end; at += 60_000) assert.equal(isOpen(window, new Date(at)), before);
      if (Number.isFinite(found)) assert.equal(isOpen(window, new Date(found)), !before);
    }),
    { numRuns: 60 },
  );
});

test('a host may begin while one of its windows is open, and one that was removed keeps nobody waiting', () => {
  const rows = [
    { name: 'nights', open: '22:00-04:00', zone: 'UTC' },
    { name: 'noon', open: '12:00-13:00', zone: 'Europe/Berlin' },
  ];
  const at = (time: string) => opennessOf(rows, new Date(time));
  const night = at('2026-11-24T23:00:00Z');
  assert.deepEqual([[...night.open], [...night.closed]], [['nights'], ['noon']]);
  const noon = firstOpening(rows.slice(1), new Date('2026-11-24T23:00:00Z'));
  assert.equal(noon?.toISOString(), '2026-11-25T11:00:00.000Z');
  const answers = (names: string | null) =>
    ['23:00', '11:30', '12:30'].map((time) => mayBegin(names, at(`2026-11-24T${time}:00Z`)));
  assert.deepEqual(answers(null), [true, true, true]);
  assert.deepEqual(answers('nights'), [true, false, false]);
  assert.deepEqual(answers('nights,noon'), [true, true, false]);
  assert.deepEqual(answers('gone'), [true, true, true]);
  assert.deepEqual(answers('gone,nights'), [true, false, false]);
});
