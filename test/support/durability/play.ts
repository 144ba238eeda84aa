import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pack } from '../../../src/lib/archive.ts';
import { platform } from '../../../src/lib/utils.ts';
import { Disk, digest } from './disk.ts';
import { makeHome, runtime } from './home.ts';
import { TASK } from './orders.ts';
import { type Op, trace } from './trace.ts';

const scene = join(import.meta.dirname, 'scene.ts');
export const agent = (what: string, root: string) => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  ...[scene, what, root],
];

export type Played = { root: string; ops: Op[]; disk(): Disk };

/** Plays a scene in a home made ready: what it did, and the disk as it was before. */
export async function play(
  what: string,
  folder: string,
  prepare: (root: string) => void | Promise<void> = () => undefined,
  command = (root: string) => agent(what, root),
): Promise<Played> {
  const [root, before] = [join(folder, 'home'), join(folder, 'before')];
  makeHome(root);
  await prepare(root);
  cpSync(root, before, { recursive: true, verbatimSymlinks: true });
  const ops = await trace(root, command(root));
  const [told, found] = [Disk.of(before), Disk.of(root)];
  for (const op of ops) told.apply(op);
  assert.equal(digest(told.now()), digest(found.now()), 'the trace tells all that happened');
  return { root, ops, disk: () => Disk.of(before) };
}

/** The names that others read, in the order in which they were given or taken. */
export function steps(ops: Op[]): string[] {
  return ops.flatMap((op) => {
    if (op.do === 'rename' && !basename(op.to).startsWith('.')) return [op.to];
    return op.do === 'unlink' && !basename(op.path).startsWith('.') ? [`gone ${op.path}`] : [];
  });
}

const TRIAL = `1 ${TASK} 1.0.0 1.1.0 2 60 30 end`;

/** 1.1.0 is on trial. */
export function onTrial(root: string): void {
  point(join(root, 'previous'), '1.0.0');
  point(join(root, 'current'), '1.1.0');
  writeFileSync(join(root, 'state', 'trial.count'), '0000 00000000\n');
  writeFileSync(join(root, 'state', 'trial'), `${TRIAL}\n`);
}

/** 1.1.0 has used up its starts; the runtime of 1.0.0, which is to be started, plays `what`. */
export function givenUp(root: string, what: string): void {
  onTrial(root);
  writeFileSync(join(root, 'state', 'trial.count'), '0002 00000009\n');
  const runtime = join(root, 'releases', '1.0.0', 'runtime');
  rmSync(runtime);
  mkdirSync(join(runtime, 'bin'), { recursive: true });
  const words = agent(what, root).map((word) => `'${word}'`);
  writeFileSync(join(runtime, 'bin', 'node'), `#!/bin/sh\nexec ${words.join(' ')}\n`, { mode: 0o755 });
}

/** The trial before ended without a verdict: its word lies there, and it is to be held again. */
export function heldBefore(root: string): void {
  point(join(root, 'previous'), '1.0.0');
  writeFileSync(join(root, 'state', 'trial.count'), '0001 00000060\n');
  writeFileSync(join(root, 'state', 'trial.failed'), `${TRIAL} silent 60 ticks\n`);
}

export const PACKED = ['agent.mjs', 'lib', 'lib/conn.mjs', 'loader.sh', 'manifest.json'];

/** The package of 1.1.0, to be staged anew or in the place of one that is there. */
export async function toStage(root: string, anew: boolean): Promise<void> {
  const folder = join(root, 'package');
  mkdirSync(join(folder, 'lib'), { recursive: true });
  const about = {
    format: 1,
    name: 'mega',
    version: '1.1.0',
    platforms: [platform()],
    runtime,
    builtAt: 'now',
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(about));
  for (const name of ['agent.mjs', 'loader.sh', 'lib/conn.mjs']) {
    writeFileSync(join(folder, name), `// ${name} `.repeat(10_000));
  }
  await pack(folder, ['agent.mjs', 'lib', 'loader.sh', 'manifest.json'], join(root, 'package.tar.gz'));
  rmSync(folder, { recursive: true });
  if (anew) rmSync(join(root, 'releases', '1.1.0'), { recursive: true });
}

function point(link: string, version: string): void {
  rmSync(link);
  symlinkSync(join('releases', version), link);
}
