import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { scriptUser } from '../src/agent/script/user.ts';
import { buildPackage } from '../src/cli/package/build.ts';
import { unpack } from '../src/lib/archive.ts';
import { readIfThere } from '../src/lib/files.ts';
import { uuidv7 } from '../src/lib/utils.ts';
import { outcomeOf } from './support/orders.ts';
import { asDispatcher, orderKeyOf, sendOrder } from './support/outage-once.ts';
import { addScript, begin, ended, runs, type ScriptTask, scriptsOf } from './support/scripts.ts';
import { ended as allEnded, tasksOf, told, upgrade, useWorld } from './support/world.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const needsRoot = !isRoot && 'becoming another user needs root';

describe('what hosts are told to do', () => {
  const world = useWorld({ agent: { scriptWaitMs: 1_000 } });
  const open = mkdtempSync(join(tmpdir(), 'mega-scripts-'));
  let agent: AgentProcess;
  let other: AgentProcess;

  before(async () => {
    chmodSync(open, 0o755);
    agent = await world().addHost(`${world().name}-a`, '1.0.0');
    const settings = { allowShellText: true, ...(isRoot ? { scriptUser: 'nobody' } : {}) };
    other = await world().addHost(`${world().name}-b`, '1.0.0', join(open, 'home'), { settings });
    await Promise.all([agent.start(), other.start()]);
    await world().untilOnline([agent.id, other.id]);
  });
  after(() => rmSync(open, { recursive: true, force: true }));

  const refused = async (args: object) => {
    const { state, reason } = await runs(world(), agent, args);
    assert.equal(state, 'rejected', reason ?? '');
    return reason ?? '';
  };
  const ordered = async (fn: string, args: object, host = agent): Promise<ScriptTask> => {
    const { job } = await world().call<{ job: string }>(fn, { on: [host.id], ...args });
    const [task] = await world().call<{ id: string }[]>('get_all_task', { job });
    return ended(world(), task!.id);
  };
  const codeOf = (error: Error & { code?: string }) => error.code === 'bad_argument';

  test('a script whose name leads out of the folder is refused by the dispatcher, and by the host', async () => {
    for (const script of [
      '../evil.sh',
      '/bin/sh',
      'a/../../evil.sh',
      '-c',
      '.hidden',
      'a//b',
      'a\\..\\b',
      '',
    ]) {
      await assert.rejects(world().call('remote_cmd', { on: [agent.id], script }), codeOf, script);
    }
    const [task, now] = [uuidv7(), Date.now()];
    await using dispatcher = await asDispatcher(world());
    const order = { v: 1, task, host: agent.id, sequence: 1, type: 'remote_cmd' } as const;
    const times = { issued: now, expires: now + 60_000, timeoutMs: 5_000 };
    await sendOrder(dispatcher, { ...order, ...times, args: { script: '../evil.sh' } }, orderKeyOf(world()));
    const line = await until('the refusal', () =>
      agent
        .log()
        .split('\n')
        .find((one) => one.includes(task) && one.includes('ended')),
    );
    assert.match(line, /"state":"rejected".*not understood: script: a name in the script folder/);
  });

  test('a script whose link leads out of the folder is refused', async () => {
    mkdirSync(scriptsOf(agent), { recursive: true });
    symlinkSync('/bin/sh', join(scriptsOf(agent), 'link.sh'));
    symlinkSync('/usr/bin', join(scriptsOf(agent), 'folder'));
    assert.match(
      await refused({ script: 'link.sh' }),
      /link\.sh leads out of .*, to \/.*: put the script itself there$/,
    );
    assert.match(await refused({ script: 'folder/env' }), /leads out of/);
    assert.match(await refused({ script: 'none.sh' }), /^there is no script none\.sh in /);
  });

  test('a script that others may write, it or its folder, is refused', async () => {
    addScript(agent, 'open.sh', 'echo never', 0o777);
    addScript(agent, 'group.sh', 'echo never', 0o775);
    addScript(agent, 'shared/closed.sh', 'echo never');
    chmodSync(join(scriptsOf(agent), 'shared'), 0o777);
    for (const script of ['open.sh', 'group.sh', 'shared/closed.sh']) {
      assert.match(await refused({ script }), /may be written by others: chmod go-w /);
    }
  });

  test('a script of another user is refused', { skip: needsRoot }, async () => {
    chownSync(addScript(agent, 'theirs.sh', 'echo never'), NOBODY, NOBODY);
    assert.match(
      await refused({ script: 'theirs.sh' }),
      /belongs to the user 65534, who could change it: chown root /,
    );
  });

  test('a script that is no program, or whose release is not here, is refused with the remedy', async () => {
    addScript(agent, 'plain', 'echo never', 0o644);
    assert.match(
      await refused({ script: 'plain' }),
      /may not be executed: chmod \+x it, or say of what type it is$/,
    );
    assert.match(
      await refused({ script: 'plain', release: '7.7.7' }),
      /the scripts of 7\.7\.7 are not on this host, which runs 1\.0\.0/,
    );
  });

  test('text for a shell is refused, unless the host itself allows it', async () => {
    assert.match(
      await refused({ shell: 'echo never' }),
      /takes no text for a shell: .* set allowShellText in its etc\/agent\.json$/,
    );
    const { state, output } = await runs(world(), other, {
      shell: 'echo "$1" | tr a-z A-Z',
      args: ['shell'],
    });
    assert.deepEqual([state, output?.head], ['succeeded', 'SHELL\n']);
    const both = world().call('remote_cmd', { on: [agent.id], shell: 'id', script: 'a.sh' });
    await assert.rejects(both, /name either a script or the text of one/);
  });

  test('a script runs as the user that its host names, with no group or file of the agent', {
    skip: needsRoot,
  }, async () => {
    const reach = `for one in ${other.home.identity} ${other.home.journal} ${other.home.scriptRuns}; do cat $one; done 2>&1`;
    const { state, output } = await runs(world(), other, {
      shell: `id -u; id -G; echo $USER; touch mine; echo err >/dev/stderr; ${reach}`,
    });
    const [uid, groups, name, error, ...denied] = output!.head.trim().split('\n');
    assert.deepEqual([uid, groups, name, error], ['65534', '65534', 'nobody', 'err']);
    assert.equal(state, 'failed');
    assert.equal(denied.length, 3);
    for (const line of denied) assert.match(line, /Permission denied$/);
  });

  test('a script in JavaScript has our library, whoever runs it', async () => {
    mkdirSync(join(open, 'node_modules')); // as install.sh lays it out
    symlinkSync(join(other.home.current, 'lib'), join(open, 'node_modules', 'mega-fleet'));
    const text =
      "import { formatSize } from 'mega-fleet/utils'; console.log(formatSize(2048), process.getuid())";
    addScript(other, 'library.mjs', text, 0o644);
    const { output } = await runs(world(), other, { script: 'library.mjs' });
    assert.equal(output?.head, `2.0 KB ${isRoot ? NOBODY : process.getuid!()}\n`);
  });

  test('an agent that is not root runs no script as another user, and says why', async () => {
    if (isRoot) process.seteuid!(NOBODY);
    try {
      await assert.rejects(
        scriptUser('root'),
        /scripts are to run as root, but the agent runs as \S+ and cannot become/,
      );
    } finally {
      if (isRoot) process.seteuid!(0);
    }
  });

  test('what a script is given to read stands in no answer and not in the audit', async () => {
    addScript(agent, 'reads.sh', 'cat >/dev/null');
    const { id, job } = await runs(world(), agent, { script: 'reads.sh', stdin: 'hush-hush' });
    const answers = await Promise.all([
      world().call('get_task', { id }),
      world().call('get_all_task', { job }),
      world().call('get_job', { id: job }),
      world().call('get_all_job'),
      world().call('get_all_audit', { limit: 50 }),
    ]);
    assert.doesNotMatch(JSON.stringify(answers), /hush-hush/);
    assert.match(JSON.stringify(answers[0]), /"stdin":"\*\*\*"/);
  });

  test('a setting that weakens trust is set from outside by nobody: not by the dispatcher, and not on the host', async () => {
    const before = readFileSync(agent.home.config, 'utf8');
    const wrong = [
      { broker: 'amqp://127.0.0.1:1/x' },
      { allowPlain: true },
      { ca: 'x' },
      { allowShellText: true },
    ];
    const more = [
      { scriptUser: 'root' },
      { scripts: '/bin' },
      { scriptMemoryBytes: 2 ** 40 },
      { heartbeatMs: 86_400_000 },
    ];
    await using dispatcher = await asDispatcher(world());
    for (const set of [...wrong, ...more]) {
      await assert.rejects(world().call('set_config', { on: [agent.id], set }), codeOf, JSON.stringify(set));
      const [task, now] = [uuidv7(), Date.now()];
      const order = { v: 1, task, host: agent.id, sequence: 1, type: 'set_config', args: set } as const;
      await sendOrder(
        dispatcher,
        { ...order, issued: now, expires: now + 60_000, timeoutMs: 5_000 },
        orderKeyOf(world()),
      );
      const isRefused = () =>
        agent
          .log()
          .split('\n')
          .some((one) => one.includes(task) && one.includes('"state":"rejected"'));
      await until(`a refusal of ${JSON.stringify(set)}`, isRefused, { pollMs: 20 });
    }
    assert.equal(readFileSync(agent.home.config, 'utf8'), before);
  });

  test('a setting that may be set is what the next agent goes by', async () => {
    const { code, out, err } = await outcomeOf(
      world(),
      'host',
      'config',
      agent.id,
      '--set',
      'scriptLanes=7',
      '--set',
      'logLevel=debug',
    );
    assert.deepEqual([code, out], [0, `${agent.id} goes by it\n`], err);
    const { output } = (await ordered('get_config', {})) as unknown as {
      output: { config: Record<string, unknown> };
    };
    assert.deepEqual([output.config.scriptLanes, output.config.logLevel], [7, 'debug']);
    assert.doesNotMatch(
      JSON.stringify(output),
      new RegExp(JSON.parse(readFileSync(agent.home.identity, 'utf8')).secret),
    );
    const { state, reason } = await ordered('set_config', { set: { scriptLanes: 4, logLevel: 'info' } });
    assert.equal(state, 'succeeded', reason ?? '');
  });

  test('facts tell what the machine is and which database servers run, and are kept with the host', async () => {
    const { out } = await outcomeOf(world(), 'host', 'facts', agent.id);
    assert.match(out, /^system +\S.*\nprocessors +\d+/m);
    const row = await world()
      .database()
      .one<{ facts: string }>('SELECT facts FROM hosts WHERE id = ?', [agent.id]);
    const facts = typeof row!.facts === 'string' ? JSON.parse(row!.facts) : row!.facts;
    assert.equal(facts.kernel, readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
    const { hostname, port } = new URL(world().servers.mariadb.url);
    if (hostname !== '127.0.0.1') return;
    const found = facts.databases.find((one: { ports: number[] }) => one.ports.includes(Number(port)));
    assert.match(found.version, /^\d+\.\d+\.\d+-MariaDB/);
    assert.equal(readIfThere(join(found.dataFolder, 'ibdata1')) !== undefined, true);
  });

  test('logs of agents are fetched, whole lines of them, and only those that hold a text', async () => {
    const { code, out } = await outcomeOf(
      world(),
      'host',
      'logs',
      agent.id,
      '--bytes',
      '2K',
      '--grep',
      'greeted by',
    );
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^(${agent.id} \\| \\{.*greeted by the dispatcher.*\\}\\n)+$`));
  });

  test('mega run shows what it wrote by host, and then how often it ended in which way', async () => {
    for (const one of [agent, other]) addScript(one, 'both.sh', `echo "$1"; exit ${one === agent ? 0 : 3}`);
    const on = ['--on', agent.id, '--on', other.id];
    const { code, out } = await outcomeOf(world(), 'run', 'both.sh', ...on, '--', '--full');
    assert.equal(code, 1);
    const lines = out.split('\n');
    assert.ok(lines.includes(`${agent.id} | --full`) && lines.includes(`${other.id} | --full`), out);
    assert.ok(lines.includes(`${other.id} | failed: both.sh ended with exit code 3: --full`), out);
    const summary = lines.slice(-5).map((line) => line.trim().split(/\s{2,}/));
    assert.deepEqual(summary.slice(0, 3), [
      ['END', 'HOSTS', 'WHICH'],
      ['exit 0', '1', agent.id],
      ['exit 3', '1', other.id],
    ]);
    assert.match(lines.at(-2)!, /^job \S+ partial in .*: 1 succeeded, 1 failed$/);
    const json = await outcomeOf(world(), 'run', 'both.sh', ...on, '--json', '--', 'x');
    const ends = json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(ends.map((one) => [one.host, one.code, one.head]).sort(), [
      [agent.id, 0, 'x\n'],
      [other.id, 3, 'x\n'],
    ]);
  });

  test('a script goes on while its host is upgraded, and the scripts and tasks of the new release are there then', async () => {
    const own = join(world().folder, 'own');
    mkdirSync(join(own, 'scripts'), { recursive: true });
    mkdirSync(join(own, 'tasks'));
    writeFileSync(join(own, 'scripts', 'packed'), '#!/bin/sh\necho "packed $1"\n');
    writeFileSync(
      join(own, 'tasks', 'greet.ts'),
      `import { formatSize } from 'mega-fleet/utils';
       export const task = { run: async ({ args, host }: any) => ({ said: 'hello ' + args.whom, host, size: formatSize(2048) }) };`,
    );
    const folders = { tasks: join(own, 'tasks'), scripts: join(own, 'scripts') };
    await world().mega('package', 'publish', await buildPackage({ version: '1.1.0', out: own, ...folders }));
    const go = join(world().folder, 'go');
    addScript(
      agent,
      'long.sh',
      `while [ ! -e ${go} ]; do sleep 0.05; done; echo "begun by 1.0.0, ended by $(readlink ${agent.home.current})"`,
    );
    const task = await begin(world(), agent, { script: 'long.sh' });
    const job = await upgrade(world(), '1.1.0', [agent.id]);
    const moved = (await allEnded(world(), job)).get(agent.id);
    assert.equal(told(moved), 'succeeded completed 1.1.0', `${moved?.reason}\n${agent.log()}`);
    const waited = moved?.events.find((one) => one.phase === 'preflight' && one.reason !== null);
    assert.equal(waited?.reason, 'scripts still run here: 1; waiting up to 1.0 s for them');
    assert.equal(
      (await tasksOf(world(), (await world().call<ScriptTask>('get_task', { id: task })).job)).get(agent.id)
        ?.state,
      'running',
    );
    writeFileSync(go, '');
    const { state, output, running } = await ended(world(), task);
    assert.deepEqual(
      [state, output?.head, running],
      ['succeeded', 'begun by 1.0.0, ended by releases/1.1.0\n', '1.1.0'],
    );

    const packed = await runs(world(), agent, { script: 'packed', release: '1.1.0', args: ['x'] });
    assert.equal(packed.output?.head, 'packed x\n', packed.reason ?? '');
    const greeted = await ordered('start_task', { task: 'greet', args: { whom: 'world' } });
    assert.deepEqual(greeted.output, { said: 'hello world', host: agent.id, size: '2.0 KB' } as unknown);
    const unknown = await ordered('start_task', { task: 'nothing' });
    assert.match(unknown.reason ?? '', /unknown task type "own_nothing"; known: .*own_greet/);
  });

  test('a release whose own task cannot be loaded does not pass its self-test', async () => {
    const own = join(world().folder, 'bad');
    mkdirSync(own);
    writeFileSync(join(own, 'broken.mjs'), 'export const task = { run: 1 };');
    const release = join(own, 'unpacked');
    await unpack(await buildPackage({ version: '1.2.0', out: own, tasks: own }), release);
    const args = [join(release, 'agent.mjs'), 'self-test', '--home', agent.home.root];
    const tested = promisify(execFile)(process.execPath, args);
    await assert.rejects(tested, /the task broken in .* cannot be used: run: a function/);
  });
});
