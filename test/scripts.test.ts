import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { readIfThere } from '../src/lib/files.ts';
import { addScript, begin, ended, processesWith, runs } from './support/scripts.ts';
import { useWorld } from './support/world.ts';

const PRINTED = process.env.MEGA_TEST_LONG ? 1_000_000_000 : 50_000_000;

describe('a script on a host', () => {
  const world = useWorld({ agent: { scriptLanes: 2 } });
  let agent: AgentProcess;
  const marks: string[] = [];

  before(async () => {
    [agent] = (await world().addFleet([`${world().name}-a`], '1.0.0')) as [AgentProcess];
  });
  after(() => {
    for (const mark of marks) for (const pid of processesWith(mark)) process.kill(pid, 'SIGKILL');
  });

  const bash = (name: string, ...lines: string[]) => addScript(agent, name, `${lines.join('\n')}\n`);
  const here = (name: string) => join(world().folder, name);
  const started = async (args: object, limitMs?: number) => {
    const task = await begin(world(), agent, args, limitMs);
    marks.push(`MEGA_TASK=${task}`);
    return task;
  };
  const lines = (name: string) => (readIfThere(here(name)) ?? '').split('\n').filter(Boolean);
  const there = (name: string) => until(`${name} to be there`, () => existsSync(here(name)), { pollMs: 20 });

  test('gets its arguments and its standard input as they are, and an environment of its own', async () => {
    bash('show.sh', 'printf "<%s>" "$@"; cat; pwd; env | cut -d= -f1 | sort | tr "\\n" " "');
    const args = ['a b', '$(id)', '; exit 9', '*', "'", ''];
    const task = await runs(world(), agent, { script: 'show.sh', args, stdin: 'from the order\n' });
    assert.equal(task.state, 'succeeded', task.reason ?? '');
    const [first, folder, names] = task.output!.head.split('\n');
    assert.equal(first, "<a b><$(id)><; exit 9><*><'><>from the order");
    assert.equal(folder, join(agent.home.work, task.id));
    const known = 'HOME LANG LOGNAME MEGA_HOST MEGA_SCRIPT MEGA_TASK PATH PWD SHELL SHLVL TMPDIR USER _';
    assert.equal(names!.trim(), known);
    assert.equal(existsSync(folder!), false, 'its folder is still there');
    assert.doesNotMatch(JSON.stringify(await world().call('get_task', { id: task.id })), /"stdin":"from/);
  });

  test('is run by what its type says: bash, python, node, or as a program', async () => {
    addScript(agent, 'one.py', 'import sys; print("python", sys.argv[1])', 0o644);
    addScript(agent, 'one.mjs', 'console.log("node", process.version.slice(0, 3), process.argv[2])', 0o644);
    addScript(agent, 'tools/program', '#!/bin/sh\necho "program $1"\n');
    addScript(agent, 'named', '[[ -n $BASH_VERSION ]] && echo "bash it is $1"', 0o644);
    const heads = [];
    for (const what of [
      { script: 'one.py' },
      { script: 'one.mjs' },
      { script: 'tools/program' },
      { script: 'named', type: 'bash' },
    ]) {
      heads.push((await runs(world(), agent, { ...what, args: ['x'] })).output?.head);
    }
    assert.deepEqual(heads, ['python x\n', 'node v24 x\n', 'program x\n', 'bash it is x\n']);
  });

  test('tells the exit code it ended with, or the signal that ended it', async () => {
    bash('fails.sh', 'echo working; echo "no space" >/dev/stderr; exit 3');
    bash('dies.sh', 'kill -SEGV $$');
    const failed = await runs(world(), agent, { script: 'fails.sh' });
    assert.deepEqual(
      [failed.state, failed.reason, failed.output?.code, failed.output?.head],
      ['failed', 'fails.sh ended with exit code 3: no space', 3, 'working\nno space\n'],
    );
    const died = await runs(world(), agent, { script: 'dies.sh' });
    assert.deepEqual(
      [died.state, died.reason, died.output?.code, died.output?.signal],
      ['failed', 'dies.sh was ended by SIGSEGV', null, 'SIGSEGV'],
    );
  });

  test('that prints without end fills neither disk nor memory, and what was cut is told', async () => {
    const print = `head -c ${PRINTED} /dev/zero | tr '\\0' x`;
    bash(
      'prints.sh',
      `echo begin; ${print}; touch "$1"; while [ -e "$1" ]; do sleep 0.02; done; echo; echo end`,
    );
    const task = await started({ script: 'prints.sh', args: [here('printed')], keepBytes: 1000 });
    await there('printed');
    const folder = join(agent.home.scriptRuns, task);
    const onDisk = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    assert.ok(onDisk < 3 << 20, `${onDisk} bytes on disk`);
    const { keeper } = JSON.parse(readFileSync(join(folder, 'keeper.json'), 'utf8')) as {
      keeper: { pid: number };
    };
    const [, peakKb] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${keeper.pid}/status`, 'utf8')) ?? [];
    assert.ok(Number(peakKb) < 150_000, `${peakKb} KB of memory`);
    rmSync(here('printed'));
    const { output, state } = await ended(world(), task);
    assert.equal(state, 'succeeded');
    assert.match(output!.head, /^begin\nx{994}$/);
    assert.match(output!.tail, /^x{995}\nend\n$/);
    assert.deepEqual([output!.bytes, output!.cut], [PRINTED + 11, PRINTED + 11 - 2000]);
  });

  test('is told line by line while it runs, also by the agent after the one that began it', async () => {
    bash(
      'lines.sh',
      'echo one; printf two; while [ ! -e "$1" ]; do sleep 0.02; done; echo " three"; printf four',
    );
    const task = await started({ script: 'lines.sh', args: [here('on')] });
    const said = async () => {
      const rows = await world().call<{ text: string; script: string; host: string }[]>('task_log', { task });
      return rows.filter((one) => one.script === 'lines.sh' && one.host === agent.id).map((one) => one.text);
    };
    await until('the first line', async () => (await said()).join() === 'one', { pollMs: 50 });
    await agent.killAll();
    await agent.start();
    writeFileSync(here('on'), '');
    assert.equal((await ended(world(), task)).output?.head, 'one\ntwo three\nfour');
    await until('all lines', async () => (await said()).join() === 'one,two three,four', { pollMs: 50 });
  });

  test('that prints what is no text is told byte by byte', async () => {
    bash('binary.sh', "printf '\\000\\377\\001\\200'");
    const { output } = await runs(world(), agent, { script: 'binary.sh' });
    assert.deepEqual([output?.encoding, output?.head], ['base64', 'AP8BgA==']);
  });

  test('that forks and ignores TERM is killed at its limit with all that it has started', async () => {
    bash(
      'stays.sh',
      'trap "" TERM',
      'sleep 100 & setsid sleep 100 &',
      `touch "${here('stays')}"`,
      'while :; do sleep 1; done',
    );
    const task = await started({ script: 'stays.sh', graceMs: 200 }, 1_000);
    await there('stays');
    const { state, reason, output } = await ended(world(), task);
    assert.deepEqual(
      [state, reason, output?.signal],
      ['timed_out', 'stays.sh was ended at its limit of 1.0 s', 'SIGKILL'],
    );
    await until('all of it to be gone', () => processesWith(`MEGA_TASK=${task}`).length === 0);
  });

  test('that is cancelled is asked to end, and may do so in order', async () => {
    bash(
      'orderly.sh',
      `trap 'echo tidy; exit 0' TERM; touch "${here('orderly')}"; while :; do sleep 0.1; done`,
    );
    const task = await started({ script: 'orderly.sh' });
    await there('orderly');
    await world().call('cancel_task', { id: task });
    const { state, output } = await ended(world(), task);
    assert.deepEqual([state, output?.code], ['cancelled', 0]);
    assert.match(output!.head, /tidy\n$/);
  });

  test('leaves nothing behind in its group, but what has made a session of its own', async () => {
    bash('leaves.sh', 'sleep 100 & setsid sleep 100 >/dev/null 2>&1 & echo done');
    const task = await started({ script: 'leaves.sh' });
    const { state, output } = await ended(world(), task);
    assert.deepEqual([state, output?.head, output?.leftovers], ['succeeded', 'done\n', true]);
    assert.equal(processesWith(`MEGA_TASK=${task}`).length, 1);
  });

  test('has no more memory and time on a processor than it is given', async () => {
    addScript(agent, 'eats.py', 'x = "x" * (200 << 20)');
    addScript(agent, 'turns.py', 'while True: pass');
    const ate = await runs(world(), agent, { script: 'eats.py', memoryBytes: 100 << 20 });
    assert.match(ate.reason ?? '', /exit code 1: MemoryError$/);
    const turned = await runs(world(), agent, { script: 'turns.py', cpuSeconds: 1 });
    assert.equal(turned.reason, 'turns.py was ended by SIGXCPU');
  });

  test('waits while as many run as the host allows, and what is exclusive does not wait for it', async () => {
    bash('holds.sh', 'while [ ! -e "$1" ]; do sleep 0.05; done');
    const all: string[] = [];
    for (let i = 0; i < 3; i++) all.push(await started({ script: 'holds.sh', args: [here('go')] }));
    const states = () =>
      Promise.all(all.map(async (id) => (await world().call<{ state: string }>('get_task', { id })).state));
    await until('two to run', async () => (await states()).join() === 'running,running,accepted', {
      pollMs: 50,
    });
    const { job } = await world().call<{ job: string }>('restart_agent', { on: [agent.id] });
    await until('a restart', async () => {
      return (await world().call<{ state: string }>('get_job', { id: job })).state === 'succeeded';
    });
    assert.deepEqual(await states(), ['running', 'running', 'accepted']);
    writeFileSync(here('go'), '');
    for (const task of all) assert.equal((await ended(world(), task)).state, 'succeeded');
  });

  /** Writes a line when it begins, waits until it may go on, and tells how. */
  const once = (name: string) =>
    bash(
      `${name}.sh`,
      `echo $$ >>"${here(name)}.began"; while [ ! -e "${here(name)}.go" ]; do sleep 0.05; done; echo told; exit 7`,
    );
  const goOn = async (name: string, task: string) => {
    writeFileSync(here(`${name}.go`), '');
    const { state, output } = await ended(world(), task);
    assert.deepEqual([state, output?.code, output?.head], ['failed', 7, 'told\n']);
    assert.equal(lines(`${name}.began`).length, 1, 'it was begun more than once');
  };

  test('outlives its agent: one that was killed, with its loader, hears of its end from the next', async () => {
    once('outlives');
    const task = await started({ script: 'outlives.sh' });
    await there('outlives.began');
    await agent.killAll();
    assert.equal(processesWith(`MEGA_TASK=${task}`).length > 0, true);
    await agent.start();
    await goOn('outlives', task);
  });

  test('that ended while there was no agent is told by the next one', async () => {
    once('alone');
    const task = await started({ script: 'alone.sh' });
    await there('alone.began');
    await agent.killAll();
    writeFileSync(here('alone.go'), '');
    await until('its end', () => existsSync(join(agent.home.scriptRuns, task, 'end.json')), { pollMs: 20 });
    await agent.start();
    await goOn('alone', task);
    await until('its folder to go', () => !existsSync(join(agent.home.scriptRuns, task)));
  });

  for (const point of ['prepared', 'noted', 'launched']) {
    test(`is begun once, or never, when its agent is killed at the point "${point}"`, async () => {
      const name = `at-${point}`;
      once(name);
      agent.setFault(`script:${point}`, 'both');
      const task = await started({ script: `${name}.sh` });
      await until('agent and loader to be dead', () => !agent.running && !agent.faultIsPending(), {
        pollMs: 20,
      });
      await agent.start();
      writeFileSync(here(`${name}.go`), '');
      const { state, reason, output } = await ended(world(), task);
      const began = lines(`${name}.began`).length;
      if (point === 'noted') {
        assert.deepEqual([state, began], ['interrupted', 0]);
        assert.match(reason ?? '', /^it was not begun: no process came to keep it/);
      } else assert.deepEqual([state, output?.code, began], ['failed', 7, 1], reason ?? '');
    });
  }

  test('whose keeper is killed is killed, too: nobody could tell how it ended', async () => {
    once('orphan');
    const task = await started({ script: 'orphan.sh' });
    await there('orphan.began');
    const { keeper } = JSON.parse(readFileSync(join(agent.home.scriptRuns, task, 'keeper.json'), 'utf8'));
    process.kill(keeper.pid, 'SIGKILL');
    const { state, reason } = await ended(world(), task);
    assert.equal(state, 'interrupted');
    assert.match(
      reason ?? '',
      /the process that kept it is gone .* what was left of it was killed; how it ended is not known/,
    );
    // Killed is not gone yet: the kernel takes a moment.
    await until('what was left of it to be gone', () => processesWith(`MEGA_TASK=${task}`).length === 0);
    rmSync(here('orphan.began'));
  });
});
