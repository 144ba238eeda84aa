import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sayHello } from '../src/agent/hello.ts';
import { heldBecause } from '../src/agent/hold.ts';
import type { Room } from '../src/agent/room.ts';
import { MegaError } from '../src/lib/errors.ts';
import { homeAt } from '../src/lib/home.ts';

const folder = mkdtempSync(join(tmpdir(), 'mega-hold-'));
after(() => rmSync(folder, { recursive: true }));
const home = homeAt(folder);
mkdirSync(join(folder, 'etc'));

test('a host is held while there is a file etc/hold, whatever is in it', () => {
  assert.equal(heldBecause(home), undefined);
  const reasons = [
    ['', 'no reason is given'],
    [' a backup runs,\n\task Wang \n', 'a backup runs, ask Wang'],
    ['x'.repeat(100_000), 'x'.repeat(500)],
  ] as const;
  for (const [text, reason] of reasons) {
    writeFileSync(home.hold, text);
    assert.equal(heldBecause(home), reason);
  }
  rmSync(home.hold);
  mkdirSync(home.hold);
  assert.equal(heldBecause(home), `${home.hold} cannot be read (EISDIR)`);
  rmSync(home.hold, { recursive: true });
  assert.equal(heldBecause(homeAt(join(folder, 'nowhere'))), undefined);
});

test('a held host is greeted by a dispatcher that knows nothing of holds, too', async () => {
  const said: object[] = [];
  const call = async (_: string, args: object) => {
    said.push(args);
    if ('held' in args) throw new MegaError('bad_argument', 'it: Unrecognized key: "held"');
    return { time: 1, probed: false, steadyMs: 2 };
  };
  const about = { boot: '01900000-0000-4000-8000-00000000000b', version: '1.0.0' };
  const room = { ...about, home, call, trust: { keyOf: async () => undefined } } as unknown as Room;
  writeFileSync(home.hold, 'a backup runs');
  assert.equal((await sayHello(room)).time, 1);
  assert.deepEqual(
    said.map((one) => 'held' in one),
    [true, false],
  );
});
