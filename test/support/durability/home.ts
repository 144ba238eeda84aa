import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Home, homeAt } from '../../../src/lib/home.ts';
import { platform } from '../../../src/lib/utils.ts';

const loader = join(import.meta.dirname, '../../../src/agent/loader.sh');

/** Stands for Node.js: tells which release the loader has started, and stays. */
export const fakeNode = `#!/bin/sh
release=$(readlink -f "$1") && [ -f "$release" ] || exit 1
release=\${release%/*}
echo "booted \${release##*/}"
exec sleep 60
`;

export const runtime = 'node-24.0.0';

const MEMORY = '/dev/shm';

export function scratch(): Disposable & { path: string } {
  const path = mkdtempSync(join(inMemory() ? MEMORY : realpathSync(tmpdir()), 'mega-durability-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Hundreds of states are made and synced; nothing here asks what a real disk does. */
function inMemory(): boolean {
  if (memory === undefined) {
    const probe = join(MEMORY, `mega-probe-${process.pid}`);
    try {
      writeFileSync(probe, '#!/bin/sh\n', { mode: 0o755 });
      memory = spawnSync(probe).status === 0;
      rmSync(probe);
    } catch {
      memory = false;
    }
  }
  return memory;
}
let memory: boolean | undefined;

/** A home that runs 1.0.0, came from 0.9.0, and has 1.1.0 staged. */
export function makeHome(root: string): Home {
  const home = homeAt(root);
  const bin = join(home.runtime(`${runtime}-${platform()}`), 'bin');
  for (const folder of [bin, home.state, home.downloads, join(root, 'bin')])
    mkdirSync(folder, { recursive: true });
  writeFileSync(join(bin, 'node'), fakeNode, { mode: 0o755 });
  copyFileSync(loader, home.loader);
  for (const version of ['0.9.0', '1.0.0', '1.1.0']) {
    const folder = home.release(version);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'agent.mjs'), `// ${version}\n`);
    writeFileSync(join(folder, 'loader.sh'), `${readFileSync(loader, 'utf8')}# of ${version}\n`);
    symlinkSync(`../../runtimes/${runtime}-${platform()}`, join(folder, 'runtime'));
  }
  symlinkSync('releases/1.0.0', home.current);
  symlinkSync('releases/0.9.0', home.previous);
  return home;
}

export type Boot = { release: string | undefined; said: string };

/** Runs the loader of a home until it has started a release, or has failed to. */
export async function boot(root: string): Promise<Boot> {
  const child = spawn('sh', [join(root, 'bin', 'mega_client'), 'run'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  const seen = new Promise<void>((done) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes) => {
        said += bytes;
        if (/^booted |agent \d+ ended/m.test(said)) done();
      });
    }
  });
  try {
    await Promise.race([seen, closed]);
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await closed;
  }
  return { release: /^booted (.*)$/m.exec(said)?.[1], said };
}
