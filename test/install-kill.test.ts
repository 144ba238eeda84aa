// The installer killed before and after each program that it runs; whatever it has left, it completes.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { scratch } from './support/cli.ts';
import { fakeInstaller, Machine, token } from './support/install.ts';
import { isLong } from './support/long.ts';

const folder = scratch();
let installer: string;
before(async () => {
  installer = await fakeInstaller(folder.path);
});
after(() => folder[Symbol.dispose]());

const programs =
  'chgrp chmod chown df find id ln mkdir mv readlink rm rmdir sed sh stat sync tail tar uname'.split(' ');

/** In place of each of these stands one that counts, and kills the installer before or after the program that is due. */
function lieInWait(machine: Machine, when: 'before' | 'after'): void {
  for (const name of programs) {
    // Only a power loss would show whether it was synced, and the machine's other disk writes need not be waited for.
    const path = name === 'sync' ? 'true' : name;
    const real = execFileSync('sh', ['-c', `command -v ${path}`], { encoding: 'utf8' }).trim();
    const shoot = '[ "$n" != "$DUE" ] || { touch "$COUNT/shot"; kill -9 "$VICTIM"; exit 1; }';
    const script = `#!/bin/sh
[ -n "\${VICTIM:-}" ] || exec ${real} "$@"
n=1 # of those that run at the same time each takes a number of its own
{ read -r n <"$COUNT/last"; } 2>/dev/null
until /bin/mkdir "$COUNT/$n" 2>/dev/null; do n=$((n + 1)); done
echo "$n" >"$COUNT/last"
${when === 'before' ? `${shoot}\nexec ${real} "$@"` : `${real} "$@"; code=$?\n${shoot}\nexit $code`}
`;
    fs.writeFileSync(join(machine.tools, name), script, { mode: 0o755 });
  }
}

/** Kills the `due`th program's installer; false when there were fewer. */
async function killed(machine: Machine, due: number, args: string[]): Promise<boolean> {
  const count = join(machine.folder, 'count');
  fs.rmSync(count, { recursive: true, force: true });
  fs.mkdirSync(count);
  const script = 'VICTIM=$$; export VICTIM; exec sh "$@"';
  const words = ['-c', script, 'sh', installer, '--root', machine.root, ...args];
  await machine.run(words, token, { COUNT: count, DUE: String(due) });
  return fs.existsSync(join(count, 'shot'));
}

/** Each tenth of them in `npm test`, others before than after; all of them in the long form. */
const step = isLong ? 1 : 10;

for (const [first, when] of [
  [1, 'before'],
  [2, 'after'],
] as const)
  describe(`killed ${when} any of the programs that it runs`, { timeout: 600_000 }, () => {
    it('it completes what it has left when it is run again, and joins once', async () => {
      await using machine = new Machine();
      await machine.install(installer, ['--no-start']);
      const whole = machine.list();
      await machine.install(installer, ['--uninstall']);
      lieInWait(machine, when);
      let due: number = first;
      for (; await killed(machine, due, ['--no-start']); due += step) {
        const current = fs.existsSync(machine.home('current'));
        assert.ok(!current || fs.existsSync(machine.home('current/runtime/bin/node')), `${due}: not whole`);
        const { code, output } = await machine.install(installer, ['--no-start']);
        assert.equal(code, 0, `${due}: ${output}`);
        assert.deepEqual(machine.list(), whole, `${due}: ${output}`);
        assert.equal(machine.read('state/joined'), `${token} \n`, `${due}: joined more than once`);
        machine.clear();
      }
      assert.ok(due > 30, `only ${due} programs were seen`);
    });

    it('--uninstall leaves nothing when it is run again', async () => {
      await using machine = new Machine();
      const empty = machine.list();
      lieInWait(machine, when);
      for (let due: number = first; ; due += step) {
        await machine.install(installer, ['--no-start']);
        const cut = await killed(machine, due, ['--uninstall']);
        if (cut) assert.equal((await machine.install(installer, ['--uninstall'])).code, 0);
        assert.deepEqual(machine.list(), empty, `${due}`);
        if (!cut) return assert.ok(due > 10, `only ${due} programs were seen`);
      }
    });
  });
