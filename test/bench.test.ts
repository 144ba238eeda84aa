import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { picture } from '../bench/picture.ts';
import { aimText, isMet, numberText, table } from '../bench/report.ts';
import type { Result } from '../bench/results.ts';
import type { Figure } from '../bench/suite.ts';
import { until } from '../dev/world/until.ts';
import { onlyLong } from './support/long.ts';

const root = join(import.meta.dirname, '..');
const stages = join(root, '.mega/bench');

describe('npm run bench', () => {
  test('names its suites with what they measure', async () => {
    const { code, out } = await run('--list');
    assert.equal(code, 0);
    const names = out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    for (const name of ['operator', 'artifact', 'agent', 'upgrade', 'growth']) {
      assert.ok(
        names.some(([found, help]) => found === name && help!.length > 20),
        `${name} in:\n${out}`,
      );
    }
  });

  test('helps with an example', async () => {
    const { code, out } = await run('--help');
    assert.equal(code, 0);
    assert.match(out, /Examples:\n {2}npm run bench -- /);
  });

  test('refuses what it does not know in one line, and starts nothing', async () => {
    for (const args of [['warp'], ['agent', 'warp'], ['--fast']]) {
      const { code, out, err } = await run(...args);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, /^bench: .+; see --help\n$/);
    }
    assert.match((await run('warp')).err, /there are: .*operator/);
  });

  test('measures one agent, prints a table, and a quick run writes nothing', onlyLong, async () => {
    const files = ['bench/results/agent.json', 'docs/performance.svg'].map((file) => join(root, file));
    const before = files.map(contentOf);
    const { code, out, err } = await run('agent', '--quick');
    assert.equal(code, 0, err);
    assert.match(out, /^agent, \d+ s, others used \d+ % of the machine before, quick: for a look only$/m);
    assert.match(out, /^agent, resident +\d+(\.\d+)? +MB +\d+(\.\d+)? x bare amqplib consumer/m);
    for (const line of out.split('\n')) assert.ok(line.length <= 110, line);
    assert.deepEqual(files.map(contentOf), before);
  });

  test('ends in order at Ctrl-C: neither a process nor a file is left', async () => {
    const bench = start('agent', '--quick');
    await until('its broker to be ready', () => bench.err().includes('RabbitMQ is ready'), { pollMs: 20 });
    const [stage = ''] = stagesOf(bench.pid);
    assert.ok(processesOf(stage).length > 0);
    process.kill(bench.pid, 'SIGINT');
    assert.equal((await bench.ended).code, 130);
    assert.deepEqual(stagesOf(bench.pid), []);
    assert.deepEqual(processesOf(stage), []);
  });
});

describe('the report of a suite', () => {
  test('compares a figure with its ceiling and says whether its aim is met', () => {
    const text = table('loop', [rate, wall, plain], '3 s');
    assert.match(text, /^loop, 3 s\n/);
    assert.match(text, /^tasks +2,810 +tasks\/s +0\.906 x bare loop +>= 0\.9 x +met$/m);
    assert.match(text, /^ping of all +0\.412 +s +1\.96 x bare program +<= 0\.35 +NOT MET$/m);
    assert.match(text, /^memory +17 +MB$/m);
    assert.match(text, /^ {4}others need 29 MB$/m);
  });

  test('fits 110 columns, whatever the words', () => {
    const words = 'a name that goes on and on '.repeat(6);
    const long: Figure = {
      ...rate,
      name: words,
      ceiling: { name: `${words}${'x'.repeat(150)}`, value: 3 },
      note: words,
    };
    for (const line of table('loop', [long, wall], '').split('\n')) assert.ok(line.length <= 110, line);
    assert.equal(table('loop', [long], '').match(/\bname\b/g)?.length, 18);
  });

  test('judges by the value or by the ratio, and not at all without either', () => {
    assert.equal(isMet({ ...rate, aim: { atLeast: 0.95, of: 'ratio' } }), false);
    assert.equal(isMet({ ...wall, aim: { atMost: 0.5 } }), true);
    assert.equal(isMet(plain), undefined);
    assert.equal(isMet({ ...plain, aim: { atMost: 2, of: 'ratio' } }), undefined);
    assert.equal(aimText({ ...plain, aim: { atLeast: 1, atMost: 1500 } }), '>= 1, <= 1,500');
  });

  test('writes numbers with the digits that count', () => {
    const told = [0, 0.012345, 6.5432, 42.195, 528.4, 12_400.6, Number.NaN].map(numberText);
    assert.deepEqual(told, ['0', '0.0123', '6.54', '42.2', '528', '12,401', '-']);
  });
});

describe('the picture of all results', () => {
  test('shows each figure that is compared with something, and says on what machine', () => {
    const svg = picture([result('loop', [rate, plain]), { ...result('operator', [wall]), quick: true }]);
    for (const words of [
      'tasks',
      '2,810 tasks/s',
      '0.906 x bare loop',
      'operator (a quick run)',
      'AMD EPYC',
      '2026-01-02',
    ])
      assert.ok(svg.includes(`>${words}`) || svg.includes(words), words);
    assert.ok(!svg.includes('>memory<'), 'a bar without anything beside it says nothing');
    assert.match(svg, /class="met"[^>]*\/>\n {2}<line class="ceiling"/);
  });

  test('keeps every bar on its track and escapes what it is told', () => {
    const svg = picture([
      result('loop', [
        { ...rate, name: 'a < b & c', value: 1e9 },
        { ...wall, value: -1 },
      ]),
    ]);
    assert.ok(svg.includes('a &lt; b &amp; c'));
    const bars = [...svg.matchAll(/<rect class="(?:met|missed|plain)" x="372"[^>]* width="([\d.]+)"/g)];
    assert.equal(bars.length, 2);
    for (const [, width] of bars) assert.ok(Number(width) >= 1 && Number(width) <= 250, width);
  });

  test('says so when others used the machine', () => {
    const quiet = result('loop', [rate]);
    const busy = { ...quiet, machine: { ...quiet.machine, busyBefore: 0.6 } };
    assert.ok(!picture([quiet]).includes('trust ratios'));
    assert.ok(picture([quiet, busy]).includes('trust ratios'));
  });

  test('needs nothing from elsewhere', () => {
    const svg = picture([result('loop', [rate])]);
    assert.deepEqual(svg.match(/https?:[^"]+/g), ['http://www.w3.org/2000/svg']);
    assert.ok(!/<script|<image|@import|url\(/.test(svg));
  });
});

const rate: Figure = {
  name: 'tasks',
  value: 2810,
  unit: 'tasks/s',
  ceiling: { name: 'bare loop', value: 3100 },
  aim: { atLeast: 0.9, of: 'ratio' },
};
const wall: Figure = {
  name: 'ping of all',
  value: 0.412,
  unit: 's',
  ceiling: { name: 'bare program', value: 0.21 },
  aim: { atMost: 0.35 },
};
const plain: Figure = { name: 'memory', value: 17, unit: 'MB', note: 'others need 29 MB' };

function result(suite: string, figures: Figure[]): Result {
  const versions = { node: '24.21.0', rabbitmq: '3.10.8', mariadb: '10.11.1' };
  const where = { cores: 2, memoryGb: 24, cpu: 'AMD EPYC', system: 'Debian', kernel: '6.1', busyBefore: 0 };
  const about = { command: 'npm run bench', quick: false, commit: 'abc', seconds: 3 };
  return { suite, figures, ...about, date: '2026-01-02T03:04:05.000Z', machine: { ...where, ...versions } };
}

function start(...args: string[]) {
  const child = spawn(process.execPath, ['bench/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    err += bytes;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { pid: child.pid!, err: () => err, ended };
}

const run = (...args: string[]) => start(...args).ended;

const contentOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

/** A stage's folder names its owner. */
const stagesOf = (pid: number) =>
  existsSync(stages) ? readdirSync(stages).filter((name) => name.split('-')[1] === String(pid)) : [];

function processesOf(stage: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(stage);
    } catch {
      return false; // it has ended
    }
  });
}
