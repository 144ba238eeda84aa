import { sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from '../../src/lib/messages.ts';
import { refreshTrust } from '../../src/lib/trust/client.ts';
import { signBody, verifyBody } from '../../src/lib/trust/jose.ts';
import { newKey, publicHalf } from '../../src/lib/trust/keys.ts';
import { makeRoot, makeSnapshot, makeTargets, makeTimestamp, sign } from '../../src/lib/trust/metadata.ts';
import { uuidv7 } from '../../src/lib/utils.ts';
import { median } from '../measure.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const ORDERS = 20_000;
const QUICK_ORDERS = 2_000;
const ROUNDS = 5;
/** As many orders as a dispatcher signs at once at most. */
const AT_ONCE = 400;
const PACKAGES = 100;
const REFRESHES = 40;

/** What is spent on believing nobody: signing and checking, beside the bare arithmetic of the same keys. */
export const suite: Suite = {
  name: 'trust',
  help: 'CPU of signing and checking an order, and of bringing signed metadata up to date',
  run,
};

type Work = () => unknown;

async function run(stage: Stage): Promise<Figure[]> {
  const orders = stage.quick ? QUICK_ORDERS : ORDERS;
  const key = newKey();
  const body = encode(anOrder());
  const jws = await signBody(body, key);
  const known = publicHalf(key);
  const signature = signBytes(null, body, key);
  const works: Record<string, Work> = {
    sign: () => signBody(body, key),
    'bare sign': () => signBytes(null, body, key),
    verify: () => verifyBody(body, jws, () => known),
    'bare verify': () => verifyBytes(null, body, known, signature),
  };
  const us: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, work] of Object.entries(works)) {
      stage.signal.throwIfAborted();
      us[name] = [...(us[name] ?? []), await cpuUsEach(work, orders, AT_ONCE)];
    }
    stage.log(`round ${round + 1} of ${ROUNDS}`);
  }
  const of = (name: string) => median(us[name]!);
  const figure = (name: string, what: string): Figure => {
    const ceiling = { name: `bare ${what}, node:crypto`, value: of(`bare ${what}`) };
    return { name, value: of(what), unit: 'us of CPU', ceiling };
  };
  return [figure('signing an order', 'sign'), figure('checking an order', 'verify'), await refreshing(stage)];
}

async function refreshing(stage: Stage): Promise<Figure> {
  const files = await aFleetsMetadata();
  const home = join(stage.folder, 'trust');
  mkdirSync(home, { recursive: true });
  const at = { folder: join(home, 'trusted'), builtInRoot: join(home, 'root.json') };
  writeFileSync(at.builtInRoot, files.get('1.root.json')!);
  const fetch = async (name: string) => (name === '2.root.json' ? undefined : files.get(name));
  await refreshTrust(at, fetch);
  const value = (await cpuUsEach(() => refreshTrust(at, fetch), REFRESHES, 1)) / 1000;
  const note = `${PACKAGES} packages; nothing new; targets.json has ${files.get('1.targets.json')!.length} bytes`;
  return { name: 'a host looking whether anything new is signed', value, unit: 'ms of CPU', note };
}

function anOrder() {
  const about = { task: uuidv7(), host: 'db-01', sequence: 1, type: 'client_upgrade' };
  const sums = { sha256: 'a'.repeat(64), size: 900_000, platforms: ['linux-x64'], runtime: 'node-24.21.0' };
  return { ...about, args: { to: '1.1.0', ...sums }, issued: Date.now(), expires: Date.now(), timeoutMs: 1 };
}

async function aFleetsMetadata(): Promise<Map<string, string>> {
  const [root, targets, online] = [newKey(), newKey(), newKey()];
  const by = (key: typeof root) => ({ keys: [key], threshold: 1 });
  const about = { version: 1, expires: new Date(Date.now() + 86_400_000) };
  const holders = { root: by(root), targets: by(targets), snapshot: by(online), timestamp: by(online) };
  const packages = Array.from({ length: PACKAGES }, (_, i) => {
    const custom = {
      format: 1,
      name: 'mega',
      version: `1.${i}.0`,
      platforms: ['linux-x64'],
      runtime: 'node-24.21.0',
    };
    return { path: `mega-1.${i}.0.tar.gz`, length: 900_000, sha256: 'a'.repeat(64), custom };
  });
  const targetsText = sign('targets', makeTargets(about, packages), [targets]);
  const snapshot = sign('snapshot', makeSnapshot(about, targetsText), [online]);
  return new Map([
    ['1.root.json', sign('root', makeRoot(about, holders), [root])],
    ['1.targets.json', targetsText],
    ['1.snapshot.json', snapshot],
    ['timestamp.json', sign('timestamp', makeTimestamp(about, snapshot), [online])],
  ]);
}

/** CPU of this process for each, all its threads, in us; `atOnce` of them at a time. */
async function cpuUsEach(work: Work, count: number, atOnce: number): Promise<number> {
  const before = process.cpuUsage();
  for (let at = 0; at < count; at += atOnce) {
    await Promise.all(Array.from({ length: Math.min(atOnce, count - at) }, work));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
