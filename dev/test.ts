/*
 * What `npm test` runs: the checks of style and types, then the tests against a broker and a database started once
 * for all of them.
 *
 *   node dev/test.ts [--no-check] [FILE...]     (without files: test/ ** / *.test.ts)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { forgetSettings, INTERRUPTED, stopOnSignals } from './runner.ts';
import { startServers } from './servers.ts';

const root = join(import.meta.dirname, '..');
const tests = 'test/**/*.test.ts';
const testTimeoutMs = 300_000;
/** More files than this machine has cores: most of their time they wait for a broker, a trial or a clock. */
const testConcurrency = 3;

const stopping = new AbortController();

process.chdir(root);
forgetSettings();
process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'no-check': { type: 'boolean', default: false } },
  });
  stopOnSignals('test', stopping);
  try {
    if (!values['no-check'] && !(await check())) return 1;
    return await runTests(positionals.length > 0 ? positionals : globSync(tests).sort());
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    return INTERRUPTED;
  }
}

async function check(): Promise<boolean> {
  const biome = step('biome', () => runNode(['node_modules/@biomejs/biome/bin/biome', 'check', '.']));
  const tsc = step('tsc', () => runNode(['node_modules/typescript/bin/tsc']));
  const codes = await Promise.all([biome, tsc]);
  return codes.every((code) => code === 0);
}

async function runTests(files: string[]): Promise<number> {
  await using servers = await step('servers', () => startServers({ folder: '.mega/test', log: say }));
  const environment = {
    MEGA_TEST_RABBITMQ: servers.rabbitmq.managementUrl,
    MEGA_TEST_MYSQL: servers.mariadb.url,
    NODE_COMPILE_CACHE: join(root, '.mega/compiled'),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --disable-warning=ExperimentalWarning`.trim(),
  };
  const flags = ['--test', `--test-concurrency=${testConcurrency}`, `--test-timeout=${testTimeoutMs}`];
  return await step('tests', () => runNode([...flags, ...files], environment));
}

/** Runs Node itself on `args`, the very program that runs this file; resolves to the exit code. */
async function runNode(args: string[], environment: Record<string, string> = {}): Promise<number> {
  stopping.signal.throwIfAborted();
  const path = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment, PATH: path },
  });
  // In a terminal the child has had the Ctrl-C as well; a supervisor signals only us.
  const pass = () => child.kill('SIGTERM');
  stopping.signal.addEventListener('abort', pass);
  const [code] = await once(child, 'exit');
  stopping.signal.removeEventListener('abort', pass);
  return code ?? INTERRUPTED;
}

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  say(`${name} ...`);
  const result = await work();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const failed = typeof result === 'number' && result !== 0;
  say(`${name} ${failed ? 'FAILED' : 'done'} (${seconds} s)`);
  return result;
}

function say(line: string): void {
  process.stderr.write(`test: ${line}\n`);
}
