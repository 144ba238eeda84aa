import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../dev/world/until.ts';
import { redacted } from '../src/lib/logs/redact.ts';
import { createLogger, reopenLogs } from '../src/lib/logs.ts';
import { scratch } from './support/cli.ts';

const logs = JSON.stringify(join(import.meta.dirname, '../src/lib/public/logs.ts'));
const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Runs a script that has the library, with these settings. */
function script(lines: string[], settings: Record<string, string> = {}) {
  const text = [`import { createLogger, reopenOnSighup } from ${logs};`, ...lines].join('\n');
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    env: { PATH: process.env.PATH, ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let err = '';
  child.stderr.on('data', (bytes) => {
    err += bytes;
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number, err })) };
}

test('a line is JSON with time, level and fields, in the file and at the level that one names', () => {
  using folder = scratch();
  const file = join(folder.path, 'deep/er/x.log');
  const log = createLogger({ file, level: 'warn', base: { script: 'backup' } });
  log.info('not this');
  log.child({ step: 2 }).warn({ rows: 12 }, 'copied');
  const [line, ...others] = linesOf(file);
  assert.deepEqual(others, []);
  assert.match(String(line!.time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(
    { ...line, time: '' },
    { level: 'warn', time: '', script: 'backup', step: 2, rows: 12, msg: 'copied' },
  );
  assert.equal(statSync(file).mode & 0o777, 0o640);
  assert.throws(() => createLogger({ level: 'loud' }), {
    code: 'bad_argument',
    message: /trace, debug, info/,
  });
});

test('the environment names file and level where the script says neither', async () => {
  using folder = scratch();
  const file = join(folder.path, 'x.log');
  const settings = { MEGA_LOG_FILE: file, MEGA_LOG_LEVEL: 'debug' };
  const { code, err } = await script(["createLogger().debug('here');"], settings).ended;
  assert.deepEqual([code, err], [0, '']);
  assert.equal(linesOf(file)[0]!.msg, 'here');
});

test('a file that cannot be written is told once, and the lines go to stderr', async () => {
  using folder = scratch();
  writeFileSync(join(folder.path, 'file'), '');
  const lines = ["createLogger().info('one');", "createLogger().info('two');"];
  const { code, err } = await script(lines, { MEGA_LOG_FILE: join(folder.path, 'file/x.log') }).ended;
  assert.equal(code, 0);
  const told = err
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).msg);
  assert.deepEqual(told, ['the log file cannot be written; logging to stderr', 'one', 'two']);
});

test('secrets are struck out, in fields however deep and inside texts', () => {
  const hush = 'hush-4711';
  const lines: string[] = [];
  using folder = scratch();
  const file = join(folder.path, 'x.log');
  const log = createLogger({ file, also: (line) => lines.push(line) });
  log.info(
    { password: hush, a: { b: [{ apiKey: hush }, { newPassword: { x: hush } }] }, user: 'u' },
    'fields',
  );
  log.info(`connecting to mysql://root:${hush}@db/x with password=${hush}, then token: "${hush}"`);
  log.error(new Error(`amqp://u:${hush}@host/mega refused`, { cause: new Error(`secret=${hush}`) }));
  log.child({ authorization: `Bearer ${hush}` }).info({ url: `http://a:${hush}@b/"c"` }, 'x');
  log.info(
    { tokens: 3, passwords_changed: 2, secretary: 'Ann', link: 'http://x/y', to: 'a@b' },
    'no secrets',
  );
  const text = readFileSync(file, 'utf8');
  assert.doesNotMatch(text, /hush|4711/);
  assert.equal(lines.join(''), text, 'who takes lines elsewhere gets the same');
  const [fields, connecting] = linesOf(file);
  assert.deepEqual([fields!.password, fields!.user], ['***', 'u']);
  assert.equal(connecting!.msg, 'connecting to mysql://root:***@db/x with password=***, then token: ***');
  const last = linesOf(file).at(-1)!;
  assert.deepEqual(
    [last.tokens, last.passwords_changed, last.secretary, last.link],
    [3, 2, 'Ann', 'http://x/y'],
  );
  assert.equal(redacted('password, and no JSON'), 'password, and no JSON');
});

test('logrotate moves the file, and SIGHUP opens it anew, for a script that asked for it', async () => {
  using folder = scratch();
  const file = join(folder.path, 'x.log');
  const { child, ended } = script(
    [
      'reopenOnSighup();',
      'reopenOnSighup();',
      "const log = createLogger(); let n = 0; log.info('begin');",
      "const timer = setInterval(() => log.info({ n: n++ }, 'tick'), 5);",
      "process.once('SIGTERM', () => clearInterval(timer));",
    ],
    { MEGA_LOG_FILE: file },
  );
  await until('the first line', () => existsSync(file), { pollMs: 10 });
  renameSync(file, `${file}.1`);
  const before = readFileSync(`${file}.1`, 'utf8').length;
  await until('it writes on into the old', () => readFileSync(`${file}.1`, 'utf8').length > before, {
    pollMs: 5,
  });
  child.kill('SIGHUP');
  await until('the new file', () => existsSync(file) && readFileSync(file, 'utf8').includes('tick'), {
    pollMs: 5,
  });
  child.kill('SIGTERM');
  assert.deepEqual(await ended, { code: 0, err: '' });
  const ticks = [...linesOf(`${file}.1`), ...linesOf(file)].filter((line) => line.msg === 'tick');
  assert.deepEqual(
    ticks.map((line) => line.n),
    ticks.map((_, i) => i),
    'no line is lost',
  );
});

test('a folder that is gone at the turn of the logs stops nobody', () => {
  using folder = scratch();
  mkdirSync(join(folder.path, 'gone'));
  const file = join(folder.path, 'gone/x.log');
  const log = createLogger({ file });
  rmSync(join(folder.path, 'gone'), { recursive: true });
  reopenLogs();
  log.info('into the void');
  mkdirSync(join(folder.path, 'gone'));
  reopenLogs();
  log.info('here again');
  assert.equal(linesOf(file).at(-1)!.msg, 'here again');
});
