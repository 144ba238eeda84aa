import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { removeBytes } from '../src/cli/package/remove.ts';
import { UnavailableError } from '../src/lib/errors.ts';
import type { Call } from '../src/lib/sender.ts';
import { platform } from '../src/lib/utils.ts';
import { useWorld } from './support/world.ts';

const mega = join(import.meta.dirname, '../bin/mega');

describe('a package', () => {
  const world = useWorld();
  const call: Call = <T>(fn: string, args?: object) => world().call<T>(fn, args);
  const run = (...args: string[]) =>
    promisify(execFile)(mega, args, {
      env: {
        ...process.env,
        MEGA_CONFIG: world().operatorConfig,
        MEGA_PASSPHRASE_FILE: world().passphraseFile,
      },
    });
  let file: string;

  before(async () => {
    file = await world().build('1.0.0');
  });

  test('whose runtime is not published is published all the same, and it is told who cannot take it', async () => {
    const { stdout, stderr } = await run('package', 'publish', file);
    assert.match(stdout, /^mega 1\.0\.0 is published \(/);
    assert.match(
      stderr,
      /node-\S+ is not published for linux-x64, linux-arm64: a host there that does not have it/,
    );
  });

  test('whose runtime is published for one platform is told to lack it for the other alone', async () => {
    const built = await run('package', 'build-runtime', '--out', join(world().folder, 'dist'));
    assert.ok(!(await run('package', 'publish', built.stdout.trim())).stderr.includes('is not published'));
    const { stderr } = await run('package', 'publish', file);
    assert.match(stderr, /is not published for linux-\w+: /);
    assert.ok(!stderr.includes(platform()), stderr);
  });

  test('that is removed while the answer gets lost is removed, and not unknown', async () => {
    let lost = 0;
    const losing: Call = async <T>(fn: string, args?: object) => {
      const answer = await call<T>(fn, args);
      if (fn !== 'del_package' || lost++ > 0) return answer;
      throw new UnavailableError('no_answer', 'lost on its way');
    };
    assert.ok((await removeBytes(losing, '1.0.0'))!.size > 1_000);
    const left = await call<{ name: string }[]>('get_all_package');
    assert.ok(!left.some((one) => one.name === '1.0.0'));
  });

  test('that never was there is unknown, however often it is removed', async () => {
    for (let i = 0; i < 2; i++) {
      await assert.rejects(run('package', 'remove', '9.9.9'), /there is no package 9\.9\.9/);
    }
  });
});
