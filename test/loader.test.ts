// The loader against agents broken in every way, under each shell that a host may have.
// The agent is a script that does as its release says: see support/loader.ts.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ended, healthy, kill, LoaderHome, lives, type Shell, shells, trialLine } from './support/loader.ts';
import { onlyLong } from './support/long.ts';

const task = '0198c0de-0000-7000-8000-000000000001';

for (const shell of shells)
  describe(`the loader under ${shell.name}`, {
    concurrency: 24,
    skip: shell.missing ? `${shell.name} is not installed` : shell.name === 'bash' && onlyLong.skip,
    timeout: 240_000,
  }, () => {
    provesAndKeeps(shell);
    goesBack(shell);
    badFiles(shell);
    restarts(shell);
    lifecycle(shell);
  });

function provesAndKeeps(shell: Shell): void {
  it('keeps a release that closes its trial, and its clock then stands still', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded(healthy, { starts: 1, ticks: 3, still: 3 });
    home.run();
    await home.until('trial closed', () => home.read('trial') === undefined);
    await sleep(4000);
    assert.deepEqual(home.starts(), ['2.0.0']);
    assert.equal(home.current(), '2.0.0');
    assert.equal(home.read('trial.failed'), undefined);
  });

  it('starts the new release at once when the old agent has opened a trial and swapped', async () => {
    await using home = new LoaderHome(shell);
    home.release('2.0.0', healthy);
    const open = `beat; nap 1.3; echo '0000 00000000' >"$state/trial.count"; echo '${trialLine({}).trim()}' >"$state/trial"`;
    const swap = 'ln -s releases/2.0.0 "$home/new"; mv -T "$home/new" "$home/current"';
    fs.writeFileSync(home.at('releases/1.0.0/agent.mjs'), `${open}; nap 1.2; ${swap}; exit 75`);
    home.run();
    await home.until('trial closed by 2.0.0', () => home.starts().length >= 2 && !home.read('trial'));
    assert.deepEqual(home.starts(), ['1.0.0', '2.0.0']);
    assert.match(home.read('trial.count')!, /^0001 0000000[1-9]\n$/);
  });

  it('does not go back when the trial was closed in the last moment of its budget', async () => {
    await using home = new LoaderHome(shell);
    // Its shadow closes the trial right after the loader has killed it for its spent budget.
    const shadow = '(trap - TERM; while kill -0 $$; do sleep 0.02; done; rm "$state/trial") 2>/dev/null &';
    home.upgraded(`${shadow} beat_on`, { starts: 5, ticks: 2 });
    home.run();
    await home.until('killed and started again', () => home.starts().length >= 2);
    assert.deepEqual(home.starts(), ['2.0.0', '2.0.0']);
    assert.equal(home.current(), '2.0.0');
    await home.says(/killing agent \d+: silent 2 ticks/);
  });
}

async function expectBack(home: LoaderHome, verdict: string | RegExp): Promise<void> {
  await home.until('1.0.0 runs again', () => home.starts().at(-1) === '1.0.0' && !home.read('trial'));
  assert.equal(home.current(), '1.0.0');
  const failed = home.read('trial.failed')!;
  const [line, said] = failed.trimEnd().split(/ end ?/);
  assert.match(line!, new RegExp(`^1 (${task}|unknown) 1.0.0 2.0.0 \\d+ \\d+ \\d+$`), home.story());
  if (typeof verdict === 'string') assert.equal(said, verdict);
  else assert.match(said!, verdict);
}

function goesBack(shell: Shell): void {
  it('goes back from a release that crashes, after its starts are used up', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('exit 3', { starts: 2 });
    home.run();
    await expectBack(home, 'crashed exit 3');
    assert.deepEqual(home.starts(), ['2.0.0', '2.0.0', '1.0.0']);
    await home.says(/going back from 2\.0\.0 to 1\.0\.0: crashed exit 3/);
  });

  it('tells the signal that ended a release', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('kill -SEGV $$', { starts: 1 });
    home.run();
    await expectBack(home, 'crashed signal SEGV');
  });

  it('goes back from a release that hangs', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('beat; trap "" TERM; while :; do nap 0.5; done', { starts: 2, still: 2 });
    home.run();
    await expectBack(home, 'hung 2 ticks');
    assert.deepEqual(home.starts(), ['2.0.0', '2.0.0', '1.0.0']);
  });

  it('goes back from a release that lives but never closes its trial', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('beat_on', { starts: 3, ticks: 3 });
    home.run();
    await expectBack(home, 'silent 3 ticks');
    assert.deepEqual(home.starts(), ['2.0.0', '1.0.0']);
  });

  for (const [what, damage] of Object.entries({
    'is missing': (node: string) => fs.rmSync(node),
    'is not executable': (node: string) => fs.chmodSync(node, 0o644),
    'is for another libc': (node: string) => fs.writeFileSync(node, '#!/lib/ld-not-here.so\n'),
  }))
    it(`goes back from a release whose runtime ${what}`, async () => {
      await using home = new LoaderHome(shell);
      home.upgraded('beat_on', { starts: 2 });
      damage(home.at('runtimes/2.0.0/bin/node'));
      home.run();
      await expectBack(home, /^crashed exit 12[67]$/);
    });

  it('goes back from a release that only ever asks to be started again', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('exit 75', { starts: 3 });
    home.run();
    await expectBack(home, 'crashed exit 75');
  });

  it('counts a start before it happens, so a release that takes the host down is left', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('kill -9 $PPID; exit 1', { starts: 2 });
    await ended(home.run());
    assert.match(home.read('trial.count')!, /^0001 /);
    await ended(home.run());
    assert.match(home.read('trial.count')!, /^0002 /);
    home.run();
    await expectBack(home, 'crashed exit unknown');
  });

  it('ends a trial that was opened but never switched', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('beat_on');
    home.point('current', '1.0.0');
    home.run();
    await expectBack(home, 'not_switched');
    assert.deepEqual(home.starts(), ['1.0.0']);
  });

  it('goes back to `previous` when the release to go back to is not there', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('exit 1', { from: '1.5.0', starts: 1 });
    home.run();
    await home.until('1.0.0 runs', () => home.starts().at(-1) === '1.0.0');
    assert.equal(home.current(), '1.0.0');
    assert.match(home.read('trial.failed')!, / 1\.5\.0 2\.0\.0 .* end crashed exit 1\n/);
  });

  it('stays where it is, and says so, when there is nothing to go back to', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('beat_on', { from: '1.5.0', ticks: 1 });
    home.point('previous', '2.0.0');
    home.run();
    await home.until('verdict told', () => home.read('trial.failed') !== undefined);
    await home.until('started again', () => home.starts().length >= 2);
    assert.equal(home.current(), '2.0.0');
    await home.says(/no other release to go back to: staying at 2\.0\.0/);
  });

  it('starts the release before from its own folder when `current` cannot be swapped', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('exit 1', { starts: 1 });
    fs.rmSync(home.at('tools/ln'), { force: true });
    fs.writeFileSync(home.at('tools/ln'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    home.run();
    await home.until('1.0.0 runs', () => home.starts().at(-1) === '1.0.0');
    assert.equal(home.current(), '2.0.0');
    assert.match(home.read('trial')!, / end crashed exit 1\n/, 'the trial stands while current names 2.0.0');
    await sleep(2000);
    assert.deepEqual(home.starts(), ['2.0.0', '1.0.0']);
  });

  it('swaps `current` in spite of a name left over by a swap that was cut off', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('exit 1', { starts: 1 });
    fs.symlinkSync('releases/2.0.0', home.at('current.loader'));
    home.run();
    await expectBack(home, 'crashed exit 1');
    assert.equal(fs.lstatSync(home.at('current.loader'), { throwIfNoEntry: false }), undefined);
  });

  it('goes back on a full disk', async (t) => {
    await using home = new LoaderHome(shell);
    home.upgraded('exit 1', { starts: 2 });
    if (!home.mountState()) return t.skip('needs root and mount');
    fillDisk(home.at('state/filler'));
    home.run();
    await expectBack(home, 'crashed exit 1');
    assert.match(home.read('trial.count')!, /^0002 /);
  });

  for (const [what, redirect] of Object.entries({ 'on a full disk': '2>/dev/full', closed: '2>&-' }))
    it(`goes back, and refuses to run twice, though its log is ${what}`, async () => {
      await using home = new LoaderHome(shell);
      home.upgraded('exit 1', { starts: 2 });
      home.run({ REDIRECT: redirect });
      await expectBack(home, 'crashed exit 1');
      const second = home.run({ REDIRECT: redirect });
      await ended(second);
      assert.equal(second.exitCode, 1);
    });

  it('goes back by what it remembers when state/ is read-only', (t) => goesBackReadOnly(t, shell));

  it('ends at a bootable release wherever it is killed on its way back', { timeout: 240_000 }, async () => {
    for (const when of ['before', 'after'])
      for (let nth = 1; await killedAtCommand(shell, when, nth); nth++) assert.ok(nth < 30, 'it never ends');
  });
}

function fillDisk(path: string): void {
  const file = fs.openSync(path, 'w');
  try {
    for (;;) fs.writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  } finally {
    fs.closeSync(file);
  }
}

async function goesBackReadOnly(t: TestContext, shell: Shell): Promise<void> {
  await using home = new LoaderHome(shell);
  home.upgraded('exit 1', { starts: 2 });
  if (!home.mountState()) return t.skip('needs root and mount');
  const { spawnSync } = await import('node:child_process');
  spawnSync('mount', ['-o', 'remount,ro', home.at('state')]);
  home.run();
  await home.until('1.0.0 runs', () => home.starts().at(-1) === '1.0.0');
  assert.equal(home.current(), '1.0.0');
  assert.ok(home.starts().filter((release) => release === '2.0.0').length === 2, home.story());
  await home.says(/cannot write into/);
  assert.equal(home.output.match(/cannot write into/g)?.length, 1, 'said once');
  await sleep(2500);
  assert.equal(home.starts().length, 3, 'the trial that cannot be removed does not tick against 1.0.0');
}

/** Whether the nth command of a loader that goes back exists; it is killed there, and started anew. */
async function killedAtCommand(shell: Shell, when: string, nth: number): Promise<boolean> {
  await using home = new LoaderHome(shell);
  home.upgraded('beat_on', { starts: 2 });
  home.write('trial.count', '0002 00000007\n');
  fs.mkdirSync(home.at('deadly'));
  for (const tool of ['rm', 'ln', 'mv', 'dd', 'readlink', 'tr']) {
    const real = fs.existsSync(home.at(`tools/${tool}`)) ? home.at(`tools/${tool}`) : `/usr/bin/${tool}`;
    const count = 'n=$(cat "$COUNT"); n=$((n + 1)); echo $n >"$COUNT"';
    const die = (now: string) => `[ "$n.${now}" = ${nth}.${when} ] && kill -9 "$VICTIM"`;
    const script = `#!/bin/sh\n${count}\n${die('before')} && exit\n"${real}" "$@"; e=$?\n${die('after')}\nexit $e\n`;
    fs.writeFileSync(join(home.at('deadly'), tool), script, { mode: 0o755 });
  }
  fs.writeFileSync(home.at('count'), '0');
  const PATH = `${home.at('deadly')}:${home.at('tools')}:${process.env.PATH}`;
  const victim = home.run({ PATH, COUNT: home.at('count') });
  await home.until('killed or 1.0.0 runs', () => victim.signalCode !== null || home.starts().length > 0);
  if (victim.signalCode === null) {
    await sleep(200); // what it still does after the start
    if (victim.signalCode === null) return false;
  }
  const killedAt = `killed ${when} command ${nth}`;
  assert.ok(fs.existsSync(home.at('current/agent.mjs')), `bootable when ${killedAt}`);
  home.run();
  await home.until(`1.0.0 runs though ${killedAt}`, () => home.starts().includes('1.0.0'));
  await expectBack(home, 'crashed exit unknown');
  assert.ok(!home.starts().includes('2.0.0'), `2.0.0 is not started again, ${killedAt}`);
  return true;
}

function badFiles(shell: Shell): void {
  for (const [what, line] of Object.entries({
    empty: '',
    torn: trialLine({}).slice(0, 60),
    zeroed: '\0'.repeat(4096),
    'of another format': trialLine({}).replace('1', '2'),
    'pointing out of releases/': trialLine({ from: '..' }),
  }))
    it(`goes back to the release before when the trial is ${what}`, async () => {
      await using home = new LoaderHome(shell);
      home.upgraded('beat_on');
      home.write('trial', line);
      home.run();
      await expectBack(home, 'unreadable trial');
      assert.deepEqual(home.starts(), ['1.0.0']);
    });

  for (const [what, count] of Object.entries({ missing: undefined, garbage: '00', zeroed: '\0'.repeat(14) }))
    it(`goes back when the counters of a trial are ${what}`, async () => {
      await using home = new LoaderHome(shell);
      home.upgraded('beat_on');
      if (count === undefined) fs.rmSync(home.at('state/trial.count'));
      else home.write('trial.count', count);
      home.run();
      await expectBack(home, 'unreadable count');
    });

  it('goes on counting by memory when a trial goes bad under way', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('beat; nap 1.5; : >"$state/trial"; : >"$state/trial.count"; beat_on', { ticks: 5 });
    home.run();
    await expectBack(home, 'unreadable trial');
    await home.says(/killing agent \d+: silent 5 ticks/);
  });
}

function restarts(shell: Shell): void {
  it('starts an agent that asks for it again at once, but not more than once a tick', async () => {
    await using home = new LoaderHome(shell);
    fs.writeFileSync(home.at('releases/1.0.0/agent.mjs'), 'nap 1.4; note ends x; exit 75');
    home.run();
    await home.until('five starts', () => home.starts().length >= 5);
    const ends = home.notes('ends');
    const gaps = home
      .notes('start')
      .slice(1)
      .map((start, i) => start.atMs - ends[i]!.atMs);
    // bash notices the end of a child at its tick only: see wake_at_end_of_agent.
    assert.ok(Math.min(...gaps) < (shell.name === 'bash' ? 1300 : 300), `gaps of ${gaps.map(Math.round)} ms`);
    fs.writeFileSync(home.at('releases/1.0.0/agent.mjs'), 'exit 0');
    await sleep(1500);
    const before = home.starts().length;
    await sleep(3000);
    assert.ok(home.starts().length - before <= 8, `${home.starts().length - before} starts in 3 s`);
  });

  it('does not hold it against a release that another agent has the lock', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('[ -e "$home/free" ] || exit 111; beat_on', { starts: 1 });
    home.run();
    await home.until('several starts', () => home.starts().length >= 3);
    fs.writeFileSync(home.at('free'), '');
    await home.until('beats', () => home.read('alive') !== undefined);
    assert.equal(home.current(), '2.0.0');
    assert.match(home.read('trial.count')!, /^0001 /);
    await home.says(/holds the lock/);
    assert.equal(home.output.match(/holds the lock/g)?.length, 1, 'said once');
  });

  it('waits longer and longer for an agent that crashes outside a trial', async () => {
    await using home = new LoaderHome(shell);
    fs.writeFileSync(home.at('releases/1.0.0/agent.mjs'), 'exit 1');
    home.run();
    await home.until('four starts', () => home.starts().length >= 4);
    const at = home.notes('start').map((note) => note.atMs);
    assert.ok(at[3]! - at[2]! > 3000 && at[2]! - at[1]! > 1000, `starts at ${at.map((ms) => ms - at[0]!)}`);
    assert.equal(home.current(), '1.0.0');
  });

  it('kills an agent that stands still outside a trial, by the limit of loader.conf', async () => {
    await using home = new LoaderHome(shell);
    fs.writeFileSync(home.at('etc/loader.conf'), '# limits\nhang_ticks=$(touch /tmp/no)\nhang_ticks=2');
    fs.writeFileSync(home.at('releases/1.0.0/agent.mjs'), 'beat; while :; do nap 0.5; done');
    home.run();
    await home.until('started again', () => home.starts().length >= 2);
    await home.says(/killing agent \d+: hung 2 ticks/);
  });
}

function memoryKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

function lifecycle(shell: Shell): void {
  it('ends the agent and itself in order on TERM, and leaves no process', async () => {
    await using home = new LoaderHome(shell);
    const loader = home.run();
    await home.until('agent beats', () => home.read('alive') !== undefined);
    const agent = home.notes('start')[0]!;
    assert.equal(agent.parent, loader.pid, 'the agent is the own child of the loader');
    assert.equal(home.read('agent.pid')!.trim(), String(agent.pid));
    loader.kill('SIGTERM');
    await ended(loader);
    assert.equal(loader.exitCode, 0);
    assert.equal(home.notes('TERM').length, 1);
    assert.deepEqual([home.read('loader.pid'), home.read('agent.pid')], [undefined, undefined]);
    await home.until('no process left', () => home.processes().length === 0, 2000);
  });

  it('ends on TERM whenever it comes', async () => {
    await using home = new LoaderHome(shell);
    fs.rmSync(home.at('tools/sleep'), { force: true });
    fs.writeFileSync(home.at('tools/sleep'), '#!/bin/sh\nexec /bin/sleep 0.02\n', { mode: 0o755 });
    for (let round = 0; round < 15; round++) {
      const loader = home.run();
      await home.until('agent runs', () => home.starts().length > round);
      await sleep(Math.random() * 100);
      loader.kill('SIGTERM');
      await home.until(`round ${round} ended`, () => loader.exitCode !== null, 30_000);
      assert.equal(loader.exitCode, 0);
    }
  });

  it('does not count a start that ended because it was asked to', async () => {
    await using home = new LoaderHome(shell);
    home.upgraded('beat_on', { starts: 1 });
    const loader = home.run();
    await home.until('agent beats', () => home.read('alive') !== undefined);
    loader.kill('SIGTERM');
    await ended(loader);
    assert.match(home.read('trial.count')!, /^0000 /);
  });

  it('uses no more memory after thousands of ticks', async () => {
    await using home = new LoaderHome(shell);
    fs.rmSync(home.at('tools/sleep'), { force: true });
    fs.writeFileSync(home.at('tools/sleep'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    home.upgraded('while :; do beat; /bin/sleep 0.1; done', { ticks: 9_999_999, still: 9_999_999 });
    const loader = home.run();
    const ticks = () => Number(home.read('trial.count')!.slice(5));
    await home.until('500 ticks', () => ticks() > 500);
    const [kbBefore, from] = [memoryKb(loader.pid!), ticks()];
    await home.until('3000 ticks more', () => ticks() > from + 3000, 120_000);
    const growth = memoryKb(loader.pid!) - kbBefore;
    // Ways of waiting that leaked grew by 90 to 690 KB here.
    assert.ok(growth < 70, `${growth} KB more`);
  });

  it('passes HUP on to an agent that listens', async () => {
    await using home = new LoaderHome(shell);
    const loader = home.run();
    await home.until('2 beats', () => Number(home.read('alive')) >= 2);
    loader.kill('SIGHUP');
    await home.until('HUP arrives', () => home.notes('HUP').length === 1);
    assert.equal(loader.exitCode, null);
  });

  it('refuses to run twice in one home', async () => {
    await using home = new LoaderHome(shell);
    const loader = home.run();
    await home.until('agent runs', () => home.starts().length >= 1);
    const second = await home.command('run');
    assert.equal(second.code, 1);
    assert.match(second.output, new RegExp(`already running as pid ${loader.pid}\n`));
    assert.ok(lives(loader.pid!));
  });

  it('takes a pid that now belongs to a stranger for what it is', async () => {
    await using home = new LoaderHome(shell);
    home.write('loader.pid', `${process.pid}\n`);
    home.write('agent.pid', `${process.pid}\n`);
    home.run();
    await home.until('agent runs', () => home.starts().length >= 1);
  });

  for (const [what, behaviour, notes] of [
    ['asks an agent whose loader was killed to end', 'beat_on', 1],
    ['kills an agent whose loader was killed and that does not end', 'trap "" TERM; beat_on', 0],
  ] as const)
    it(`${what} before it starts another`, async () => {
      await using home = new LoaderHome(shell);
      fs.writeFileSync(home.at('releases/1.0.0/agent.mjs'), behaviour);
      const first = home.run();
      await home.until('agent beats', () => home.read('alive') !== undefined && !!home.read('agent.pid'));
      kill(first.pid!);
      await ended(first, 'exit');
      const orphan = home.notes('start')[0]!.pid;
      assert.ok(lives(orphan));
      home.run();
      await home.until('another agent', () => home.starts().length >= 2);
      assert.ok(!lives(orphan));
      assert.equal(home.notes('TERM').length, notes);
    });

  it('starts, tells its status, restarts and stops by command, called by a link too', async () => {
    await using home = new LoaderHome(shell);
    assert.deepEqual(await home.command('status'), {
      code: 3,
      output: 'mega_client: not running, release 1.0.0\n',
    });
    assert.equal((await home.command('start')).code, 0);
    await home.until('agent runs', () => home.starts().length >= 1);
    const status = await home.command('status');
    assert.equal(status.code, 0);
    assert.match(status.output, /running as pid \d+, agent pid \d+, release 1\.0\.0\n/);
    assert.match((await home.command('start')).output, /already running/);
    assert.equal((await home.command('restart')).code, 0);
    await home.until('second agent runs', () => home.starts().length >= 2);
    fs.symlinkSync(home.loader, home.at('etc/mega_client'));
    const linked = new LoaderHome(shell);
    await using _ = linked;
    fs.rmSync(linked.loader);
    fs.symlinkSync(home.loader, linked.loader);
    assert.match((await linked.command('status')).output, /running as pid/);
    assert.deepEqual(await home.command('stop'), { code: 0, output: 'mega_client: stopped\n' });
    assert.match((await home.command('stop')).output, /not running/);
    await home.until('no process left', () => home.processes().length === 0, 2000);
    const log = fs.readFileSync(home.at('log/loader.log'), 'utf8').trimEnd().split('\n');
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ mega_client: /;
    assert.ok(
      log.every((line) => time.test(line)),
      log.join('\n'),
    );
    assert.match(log[0]!, /started 1\.0\.0, pid \d+/);
  });

  it('tells whether a dispatcher has answered the agent that runs now, and waits for it', async () => {
    await using home = new LoaderHome(shell);
    home.write('greeted', '1\n');
    home.run();
    await home.until('agent beats', () => home.read('alive') !== undefined);
    assert.match((await home.command('status')).output, /\nno dispatcher has answered yet\n/);
    assert.deepEqual(await home.command('wait', '1'), {
      code: 1,
      output: 'mega_client: no dispatcher has answered yet\n',
    });
    const waiting = home.command('wait');
    home.write('greeted', home.read('agent.pid')!);
    assert.deepEqual(await waiting, { code: 0, output: 'mega_client: a dispatcher has answered\n' });
    assert.match((await home.command('status')).output, /\na dispatcher has answered\n/);
    assert.equal((await home.command('wait', 'long')).code, 2);
  });

  it('hands an upgrade to the agent, helps, and refuses what it does not know', async () => {
    await using home = new LoaderHome(shell);
    const upgrade = await home.command('upgrade', '--to', '2 0');
    assert.equal(upgrade.output, `${home.path}/current/agent.mjs upgrade --home ${home.path} --to 2 0\n`);
    const help = await home.command('--help');
    assert.equal(help.code, 0);
    assert.match(help.output, /Example: {2}mega_client/);
    for (const words of [['frobnicate'], []]) {
      const unknown = await home.command(...words);
      assert.equal(unknown.code, 2);
      assert.match(unknown.output, /unknown command/);
    }
  });
}
