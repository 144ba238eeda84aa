import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { optionOf } from '../src/agent/facts/databases.ts';
import { mounted } from '../src/agent/facts/disks.ts';
import { portsIn } from '../src/agent/facts/listening.ts';
import { osRelease } from '../src/agent/facts/machine.ts';
import type { Entry } from '../src/agent/journal.ts';
import { lives, processId } from '../src/agent/keeper/process-id.ts';
import { RunFolder } from '../src/agent/keeper/run-folder.ts';
import { lengthOf, readOutput, Segments } from '../src/agent/keeper/segments.ts';
import { Lanes } from '../src/agent/lanes.ts';
import { Lines } from '../src/agent/script/lines.ts';
import { outputOf } from '../src/agent/script/output.ts';
import { summaryByEnd } from '../src/cli/run/show.ts';

function folder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'mega-run-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("of a script's output the head and the last segments stay, and whoever reads on learns what he has missed", () => {
  using place = folder();
  using output = new Segments(place.path, 4, 6);
  for (const text of ['ab', 'cdefg', 'hijklmnopqrstuvwxy', 'z']) output.write(Buffer.from(text));
  assert.deepEqual(readdirSync(place.path).sort(), ['out.0', 'out.16', 'out.22']);
  assert.equal(lengthOf(place.path), 26);
  const read = (from: number, most = 100) => {
    const { at, bytes } = readOutput(place.path, from, most);
    return [at, bytes.toString()];
  };
  assert.deepEqual(read(0), [0, 'abcd']);
  assert.deepEqual(read(2, 1), [2, 'c']);
  assert.deepEqual(read(4), [16, 'qrstuvwxyz']);
  assert.deepEqual(read(20, 4), [20, 'uvwx']);
  assert.deepEqual(read(26), [26, '']);
});

function shown(bytes: Buffer, keepBytes: number) {
  using place = folder();
  using output = new Segments(place.path, 1000, 1000);
  output.write(bytes);
  const { head, tail, encoding, cut } = outputOf(place.path, undefined, keepBytes);
  return [head, tail, encoding, cut];
}

test('what a result keeps of an output is whole letters, all of it where it is short, and base64 where it is no text', () => {
  assert.deepEqual(shown(Buffer.from('short'), 3), ['short', '', 'utf8', 0]);
  assert.deepEqual(shown(Buffer.from('äöü-and-more-äöü'), 5), ['äö', 'öü', 'utf8', 14]);
  assert.deepEqual(shown(Buffer.from('🦄-and-more-🦄'), 3), ['', '', 'utf8', 18]);
  assert.deepEqual(shown(Buffer.from([0xff, 0xfe]), 5), ['//4=', '', 'base64', 0]);
  assert.deepEqual(shown(Buffer.from('\x1b[31mred\x1b[0m\r\n'), 50), [
    '\x1b[31mred\x1b[0m\r\n',
    '',
    'utf8',
    0,
  ]);
  assert.deepEqual(shown(Buffer.alloc(0), 5), ['', '', 'utf8', 0]);
});

test('lines of an output are told whole, a letter cut in two as well, and again from the last whole one by the next agent', () => {
  using place = folder();
  const run = new RunFolder(place.path);
  using output = new Segments(place.path, 1000, 1000);
  const told: string[] = [];
  const lines = () => new Lines(run, { task: 't', script: 's' }, ({ text }) => told.push(text));
  const first = lines();
  const bytes = Buffer.from('eins\nzwei ä');
  output.write(bytes.subarray(0, -1));
  first.look();
  const next = lines();
  output.write(bytes.subarray(-1));
  output.write(Buffer.from(' drei\nrest'));
  next.finish();
  assert.deepEqual(told, ['eins', 'zwei ä drei', 'rest']);
});

test('of two that would begin a run one is the first, whoever it is', () => {
  using place = folder();
  const run = new RunFolder(place.path);
  const me = processId(process.pid)!;
  assert.equal(run.claim(null), true);
  assert.equal(run.claim(me), false);
  assert.equal(run.keeper, null);
});

test('a process is told from a later one with the same pid, and from one before the machine was restarted', () => {
  const me = processId(process.pid)!;
  assert.equal(lives(me), true);
  assert.equal(lives({ ...me, start: String(Number(me.start) + 1) }), false);
  assert.equal(lives({ ...me, boot: 'another' }), false);
  assert.equal(processId(2 ** 22 + 1), undefined);
});

test('scripts run a few at a time, in their order, and beside what is exclusive', () => {
  const lanes = new Lanes(2);
  const entry = (task: string) => ({ order: { task } }) as Entry;
  const began: (string | undefined)[] = [];
  const begin = (lane: 'script' | 'exclusive') => began.push(lanes.next(lane)?.order.task);
  lanes.enter('script', 'before');
  for (const task of ['a', 'b', 'c']) lanes.wait('script', entry(task));
  lanes.wait('exclusive', entry('upgrade'));
  for (const lane of ['script', 'script', 'exclusive', 'exclusive'] as const) begin(lane);
  assert.deepEqual(began, ['a', undefined, 'upgrade', undefined]);
  assert.equal(lanes.isFree('script'), false);
  lanes.leave('script', 'before');
  assert.equal(lanes.take('b')?.order.task, 'b');
  begin('script');
  assert.equal(began.at(-1), 'c');
  assert.equal(lanes.running('script'), 2);
});

test('facts are read from what the system says, also where that looks odd', () => {
  assert.deepEqual(osRelease('ID=debian\nVERSION_ID="12"\nPRETTY_NAME=\'A "B"\'\n# ID=no\n'), {
    ID: 'debian',
    VERSION_ID: '12',
    PRETTY_NAME: 'A "B"',
  });
  const mounts =
    '/dev/sda1 / ext4 rw 0 0\nnfs:/x /nfs nfs rw 0 0\n/dev/sda1 /again ext4 rw 0 0\n/dev/sdb /a\\040b xfs rw 0 0\n';
  assert.deepEqual(
    mounted(mounts).map((one) => one.mount),
    ['/', '/a b'],
  );
  const table = `  sl  local_address rem_address   st
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   108        0 4711 1
   1: 0100007F:0CEA 0100007F:1234 01 00000000:00000000 00:00000000 00000000   108        0 4712 1\n`;
  assert.deepEqual(portsIn(table), [{ port: 3306, inode: '4711' }]);
  const args = ['mysqld', '--port=1', '--datadir', '/data', '--port=3307'];
  assert.deepEqual(
    ['port', 'datadir', 'socket'].map((name) => optionOf(args, name)),
    ['3307', '/data', undefined],
  );
});

test('a summary counts hosts by how their scripts ended', () => {
  const output = {
    code: 0,
    signal: null,
    head: '',
    tail: '',
    encoding: 'utf8',
    bytes: 0,
    cut: 0,
    leftovers: false,
  };
  const task = (host: string, state: string, more: object | null) => ({
    host,
    state,
    output: more && { ...output, ...more },
  });
  const tasks = [
    task('c', 'failed', { code: 3 }),
    task('b', 'failed', { code: 3 }),
    task('a', 'succeeded', {}),
    task('d', 'failed', { code: null, signal: 'SIGSEGV' }),
    task('e', 'timed_out', { code: null, signal: 'SIGTERM' }),
    task('f', 'rejected', null),
  ] as unknown as Parameters<typeof summaryByEnd>[0];
  const lines = summaryByEnd(tasks, 80)
    .trim()
    .split('\n')
    .map((line) =>
      line
        .trim()
        .split(/\s{2,}/)
        .join(','),
    );
  assert.deepEqual(lines, [
    'END,HOSTS,WHICH',
    'exit 0,1,a',
    'exit 3,2,b c',
    'SIGSEGV,1,d',
    'timed_out,1,e',
    'rejected,1,f',
  ]);
});

test('a file that is no part of an output does not upset its reading', () => {
  using place = folder();
  writeFileSync(join(place.path, 'out.new'), 'x');
  assert.equal(lengthOf(place.path), 0);
});
