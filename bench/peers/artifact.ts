import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { World } from '../../dev/world/world.ts';
import { PREFETCH } from '../../src/agent/upgrade/download.ts';
import { hashPassword, newSecret } from '../../src/lib/management.ts';
import { platform } from '../../src/lib/utils.ts';
import type { Stage } from '../suite.ts';

/** One artifact in its stream, and many who read it at once. */
export const PROCESSES = 2;
const MB = 1e6;
const peer = join(import.meta.dirname, 'readers.ts');

export type Sent = { sha256: string; bytes: number; queue: string; chunks: number; file: string };
export type Reader = { args(readers: number): string[]; env?: Record<string, string> };

/** A user who may read packages and nothing else; hosts have limits that do not belong here. */
export async function addReader({ management, name, servers }: World): Promise<string> {
  const secret = newSecret();
  const user = `reader_${name}`;
  const permissions = {
    topic: { exchange: 'mega.up', write: '^$', read: '^$' },
    access: { configure: '^$', write: '^$', read: '^mega\\.package\\.' },
  };
  await management.putUser(user, hashPassword(secret), permissions);
  return `amqp://${user}:${secret}@127.0.0.1:${servers.rabbitmq.amqpPort}/${name}`;
}

/** By way of the dispatcher's own functions, as `mega package publish` does; bytes that do not compress. */
export async function publish(stage: Stage, world: World, sizeMb: number): Promise<Sent> {
  const bytes = randomBytes(sizeMb * MB);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const about = { format: 1, name: 'mega', version: `0.0.${sizeMb}`, platforms: [platform()] };
  const manifest = { ...about, runtime: `node-${process.versions.node}`, builtAt: new Date().toISOString() };
  type Begun = { chunkBytes: number; missing: number[] };
  const begun = await world.call<Begun>('begin_package', { manifest, sha256, size: bytes.length });
  for (const index of begun.missing) {
    const chunk = bytes.subarray(index * begun.chunkBytes, (index + 1) * begun.chunkBytes);
    await world.call('put_chunk', { sha256, index, bytes: chunk.toString('base64') });
  }
  await world.call('finish_package', { sha256 });
  type Answer = { artifact: { queue: string; chunks: number } };
  const { artifact } = await world.call<Answer>('get_package', { sha256 });
  const file = `${sha256}.bin`;
  writeFileSync(join(stage.folder, file), bytes);
  const { queue, chunks } = artifact;
  stage.log(`${sizeMb} MB are in their stream, ${chunks} chunks`);
  return { sha256, bytes: bytes.length, queue, chunks, file };
}

/** `ca`: the file that the broker's certificate is verified by. */
export const streamReader = (reader: string, { queue, chunks, sha256 }: Sent, ca?: string): Reader => ({
  args: (readers) => ['stream', queue, String(readers), String(chunks), String(PREFETCH), sha256],
  env: { PEER_BROKER: reader, ...(ca === undefined ? {} : { NODE_EXTRA_CA_CERTS: ca }) },
});

/** Seconds from the start of all readers, which are connected by then, until the last has the whole. */
export async function readAll({ args, env }: Reader, readers: number): Promise<number> {
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, [peer, ...args(readers / PROCESSES)], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  try {
    const says = children.map(sayings);
    await Promise.all(says.map((say) => say('ready')));
    const began = performance.now();
    for (const { stdin } of children) stdin.write('go\n');
    await Promise.all(says.map((say) => say('done')));
    return (performance.now() - began) / 1000;
  } finally {
    for (const child of children) child.kill();
  }
}

/** Waits for a line; fails when the process ends before it. */
function sayings(child: ChildProcess): (word: string) => Promise<void> {
  const lines = createInterface({ input: child.stdout! });
  const heard = new Set<string>();
  lines.on('line', (line) => heard.add(line));
  return async (word) => {
    while (!heard.has(word)) {
      await Promise.race([once(lines, 'line'), once(lines, 'close')]);
      if (!heard.has(word) && child.exitCode !== null)
        throw new Error(`a reader ended before it said ${word}`);
    }
  };
}
