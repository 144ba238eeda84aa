import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { JobWithCounts, Task } from '../src/cli/answers.ts';
import { mega } from './support/cli.ts';
import { megaHere } from './support/mega.ts';
import { Screen } from './support/watching.ts';
import { ended, useWorld } from './support/world.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: what terminals obey begins with one
const CLEARED = /\x1b\[2J\x1b\[H/;

type Answer = JobWithCounts & { tasks: Task[]; silent: Task[] };

describe('a fleet that is watched', () => {
  const world = useWorld({ dispatcher: { lostGraceMs: 500 } });
  /** One that is there, one that will die, one that never comes. */
  let [there, dying, away] = ['', '', ''];
  let settings: Record<string, string>;

  before(async () => {
    await world().publish('1.1.0');
    [there, dying, away] = ['a', 'b', 'c'].map((one) => `${world().name}-${one}`) as [string, string, string];
    settings = { MEGA_CONFIG: world().operatorConfig };
    const [, second] = await world().addFleet([there, dying], '1.0.0');
    second!.setFault('preflight:exit', 'both');
    await world().addHost(away, '1.0.0');
  });

  const operator = (...args: string[]) => megaHere(world(), ...args);
  const order = async (fn: string, args: object) => (await world().call<{ job: string }>(fn, args)).job;
  const screen = (...args: string[]) => new Screen([mega, ...args], settings);

  test('without a terminal the watching ends with 4 where an approval is needed, and goes on to the end after it', async () => {
    const limits = { waves: [1], pauseBetween: 'approve' };
    const job = await order('ping', { on: [there, dying], limits });
    const waits = await operator('job', 'watch', job);
    assert.equal(waits.code, 4, `${waits.out}${waits.err}`);
    assert.match(waits.out, /^\d\d:\d\d:\d\d waits for approval of wave 2, until .* UTC \(in 7 d\)$/m);
    assert.match(waits.out, new RegExp(`mega job approve ${job}$`, 'm'));
    assert.match(waits.err, /the job goes on; watch it with/);
    const held: Answer = JSON.parse((await operator('job', 'watch', job, '--json')).out);
    assert.deepEqual([held.state, held.waitingFor!.what, held.tasks.length], ['running', 'approval', 2]);
    await operator('job', 'approve', job);
    const { code, out } = await operator('job', 'watch', job);
    assert.equal(code, 0, out);
    assert.match(out, new RegExp(`\njob ${job} succeeded in .*: 2 succeeded\n$`));
    const shown = (await operator('job', 'show', job)).out;
    assert.match(shown, /^limits +waves 1; any number of errors; each wave is approved/m);
    assert.match(shown, /^ +2 +1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\S+ \S+ +1 succeeded$/m);
    assert.match(shown, new RegExp(`^\\S+ \\S+ +op_${world().name} +approve_job +ok$`, 'm'));
  });

  test('on a terminal a pause is shown with what can be done, a new size is obeyed, and Ctrl-C leaves the job running', async () => {
    const job = await order('ping', { on: [there, away], limits: { waves: [1], deadlineMs: 3_600_000 } });
    await using first = screen('job', 'watch', job);
    await first.shows(/wave 2 \[\.+\] 0 of 1 ended/);
    await first.shows(/waits for one host that is away/);
    first.types('\x03');
    assert.equal(await first.exitCode, 130, first.text);
    assert.match(first.text, new RegExp(`the job goes on; watch it with: mega job watch ${job}`));

    await using second = screen('job', 'watch', job);
    await second.shows(/waits for one host/);
    await operator('job', 'pause', job, '--reason', 'it looks odd');
    await second.shows(new RegExp(`it looks odd[\\s\\S]*mega job resume ${job}[\\s\\S]*watching goes on`));
    second.resize(60, 12);
    await second.shows(CLEARED);
    const lines = stripVTControlCharacters(second.text.split(CLEARED).at(-1)!).split('\n');
    assert.match(lines[0]!, /^ping on /);
    assert.ok(
      lines.every((line) => [...line.trimEnd()].length < 60),
      lines.join('\n'),
    );
    await operator('job', 'cancel', job);
    assert.equal(await second.exitCode, 1);
    assert.match(second.text, new RegExp(`job ${job} cancelled in .*: 1 succeeded, 1 cancelled`));
    const shown = (await operator('job', 'show', job)).out;
    for (const did of ['ping', 'pause_job', 'cancel_job'])
      assert.match(shown, new RegExp(` ${did} +ok$`, 'm'));
  });

  test('who did not answer is named, with the last sign of life and the last thing proved of the task', async () => {
    const limits = { timeoutMs: 3_000, deadlineMs: 3_000 };
    const job = await order('client_upgrade', { to: '1.1.0', on: [dying, away], limits });
    await ended(world(), job);
    const watched = await operator('job', 'watch', job);
    assert.equal(watched.code, 1);
    const shown = (await operator('job', 'show', job)).out;
    assert.match(shown, new RegExp(`^${dying} +lost +\\d+ s ago +started \\d{4}-\\S+ \\S+, preflight$`, 'm'));
    assert.match(shown, new RegExp(`^${away} +expired +never +nothing, it was not sent$`, 'm'));
    // What had ended before anybody watched is told with its own time.
    const { tasks }: Answer = JSON.parse((await operator('job', 'watch', job, '--json')).out);
    const lost = tasks.find(({ host }) => host === dying)!;
    assert.match(watched.out, new RegExp(`^${lost.finishedAt!.slice(11, 19)} ${dying} lost`, 'm'));
    const hostsOf = async (...which: string[]) =>
      (JSON.parse((await operator('task', 'list', '--job', job, ...which, '--json')).out) as Task[]).map(
        ({ host }) => host,
      );
    assert.deepEqual(await hostsOf('--silent'), [dying, away]);
    assert.deepEqual(await hostsOf('--state', 'lost'), [dying]);
    const answer: Answer = JSON.parse((await operator('job', 'show', job, '--json')).out);
    assert.deepEqual(
      answer.silent.map(({ host }) => host),
      [dying, away],
    );

    await operator('job', 'retry', job, '--failed');
    assert.deepEqual(await hostsOf('--retried'), [dying, away]);
    assert.match(
      (await operator('job', 'show', job)).out,
      new RegExp(`^Tried again:\n.*\n${dying} +lost in preflight `, 'm'),
    );
    await operator('job', 'cancel', job);
  });
});
