import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { buildPackage } from '../src/cli/package/build.ts';
import { readPackage, readReleasePackage } from '../src/cli/package/read.ts';
import { pack, unpack } from '../src/lib/archive.ts';
import { platform } from '../src/lib/utils.ts';
import { run, scratch } from './support/cli.ts';

describe('mega package build', () => {
  test('makes a package with the agent, its loader, the library and a manifest', async () => {
    using folder = scratch();
    const file = await buildPackage({ version: '1.2.3', out: folder.path });
    assert.equal(file, join(folder.path, 'mega-1.2.3.tar.gz'));
    assert.deepEqual(readdirSync(folder.path), ['mega-1.2.3.tar.gz']);
    const { manifest, sha256, size } = await readReleasePackage(file);
    assert.equal(manifest.version, '1.2.3');
    assert.equal(manifest.runtime, `node-${process.versions.node}`);
    assert.deepEqual(manifest.platforms, ['linux-x64', 'linux-arm64']);
    assert.equal(sha256, createHash('sha256').update(readFileSync(file)).digest('hex'));
    assert.equal(size, statSync(file).size);
    const inside = join(folder.path, 'inside');
    await unpack(file, inside);
    assert.equal(statSync(join(inside, 'loader.sh')).mode & 0o777, 0o755);
    const library = JSON.parse(readFileSync(join(inside, 'lib/package.json'), 'utf8'));
    assert.equal(library.version, '1.2.3');
    for (const name of ['conn', 'logs', 'sender', 'utils'])
      assert.equal(library.exports[`./${name}`], `./${name}.mjs`);
  });

  test('gives the same bytes whenever and under whatever umask it is built', async () => {
    using folder = scratch();
    const first = await buildPackage({ version: '1.0.0', out: join(folder.path, 'a') });
    const before = process.umask(0o077);
    try {
      const second = await buildPackage({ version: '1.0.0', out: join(folder.path, 'b') });
      assert.deepEqual(readFileSync(second), readFileSync(first));
    } finally {
      process.umask(before);
    }
  });

  test('builds the platforms that were asked for', async () => {
    using folder = scratch();
    const file = await buildPackage({ version: '1.0.0-rc.1', out: folder.path, platforms: [platform()] });
    assert.deepEqual((await readReleasePackage(file)).manifest.platforms, [platform()]);
  });

  test('the built agent loads all it holds, and a prologue runs before it', async () => {
    using folder = scratch();
    const home = join(folder.path, 'home');
    for (const name of ['state', 'etc']) mkdirSync(join(home, name), { recursive: true });
    writeFileSync(
      join(home, 'state/identity.json'),
      JSON.stringify({ host: 'db-01', secret: 'x'.repeat(32) }),
    );
    writeFileSync(join(home, 'etc/agent.json'), JSON.stringify({ broker: 'amqp://127.0.0.1:1/mega' }));
    const agentOf = async (version: string, prologue?: string) => {
      const out = join(folder.path, version);
      const file = await buildPackage({ version, out, ...(prologue ? { prologue } : {}) });
      await unpack(file, join(out, 'release'));
      const args = [join(out, 'release/agent.mjs'), 'self-test', '--home', home];
      return spawnSync(process.execPath, args, { encoding: 'utf8' });
    };
    const good = await agentOf('1.0.0');
    assert.equal(good.status, 0, good.stderr);
    assert.equal((await agentOf('1.0.1', 'process.exit(42);')).status, 42);
  });

  test('scripts on a host import the library from the package', async () => {
    using folder = scratch();
    await unpack(await buildPackage({ version: '1.0.0', out: folder.path }), join(folder.path, 'release'));
    mkdirSync(join(folder.path, 'node_modules'));
    symlinkSync('../release/lib', join(folder.path, 'node_modules/mega-fleet'));
    const script = join(folder.path, 'script.mjs');
    const lines = ['conn', 'logs', 'sender', 'utils'].map(
      (name) => `import * as ${name} from 'mega-fleet/${name}';`,
    );
    const use = [
      "logs.createLogger({ file: 'stderr' }).info(utils.formatSize(1024));",
      "await conn.conn('mysql://a:b@127.0.0.1:1/c').query('SELECT 1').catch((error) => console.log(error.code));",
      'console.log(typeof sender.call);',
    ];
    writeFileSync(script, [...lines, ...use, 'process.exit(0);'].join('\n'));
    const { stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    assert.equal(stdout, 'database_unavailable\nfunction\n', stderr);
    assert.match(stderr, /1\.0 KB/);
  });

  test('refuses a version that a path or a shell could misread', async () => {
    const { code, err } = await run(['package', 'build', '--version', '../1.0.0']);
    assert.equal(code, 2);
    assert.equal(err, 'mega: "../1.0.0" is no version such as 1.1.0\n');
  });
});

describe('a file that is no package', () => {
  test('is refused with the reason before anything is sent', async () => {
    using folder = scratch();
    const refused = (message: RegExp, file: string) => assert.rejects(readPackage(file), { message });
    const file = join(folder.path, 'x.tar.gz');
    await refused(/there is no package .*mega package build/, file);
    writeFileSync(file, 'not an archive');
    await refused(/cannot be unpacked|is no package|has no manifest/, file);
    writeFileSync(join(folder.path, 'a'), 'x');
    await pack(folder.path, ['a'], file);
    await refused(/has no manifest\.json/, file);
  });
});
