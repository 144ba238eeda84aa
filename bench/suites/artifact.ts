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
import { cpuMs, forgetPeak, processIn, residentMb } from '../measure.ts';
import { type Nginx, startNginx } from '../peers/nginx.ts';
import { openWorld } from '../real.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const MB = 1e6;
const PROCESSES = 2;
const SIZES_MB = [1, 45];
const READERS = [100, 500];
const QUICK_SIZES_MB = [1, 8];
const QUICK_READERS = [20];
const peer = join(import.meta.dirname, '../peers/readers.ts');

/** How fast a package reaches many hosts at once. */
export const suite: Suite = {
  name: 'artifact',
  help: 'one artifact to 100 and 500 readers through its stream, beside nginx',
  run,
};

type Room = {
  stage: Stage;
  world: World;
  reader: string;
  nginx: Nginx | undefined;
  broker: number;
};
type Sent = { sha256: string; bytes: number; queue: string; chunks: number; file: string };

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true });
  await using world = await openWorld(stage, { servers });
  await world.startDispatcher();
  await using nginx = await startNginx(stage.folder, PROCESSES);
  if (!nginx) stage.log('nginx is not installed: that comparison is left out (see dev/setup.sh)');
  const broker = processIn(stage.folder, 'beam.smp');
  const room = { stage, world, nginx, broker, reader: await addReader(world) };
  const figures: Figure[] = [];
  for (const size of stage.quick ? QUICK_SIZES_MB : SIZES_MB) {
    const sent = await publish(room, size);
    for (const readers of stage.quick ? QUICK_READERS : READERS) {
      stage.signal.throwIfAborted();
      figures.push(...(await measure(room, sent, size, readers)));
    }
  }
  return figures;
}

/** A user who may read packages and nothing else; hosts have limits that do not belong here. */
async function addReader({ management, name, servers }: World): Promise<string> {
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
async function publish({ world, stage }: Room, sizeMb: number): Promise<Sent> {
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

async function measure(room: Room, sent: Sent, sizeMb: number, readers: number): Promise<Figure[]> {
  const { nginx, broker, stage } = room;
  const http = nginx && (await readAll(httpReader(nginx, sent), readers));
  forgetPeak(broker);
  const [cpuBefore, before] = [cpuMs(broker), residentMb(broker)];
  const seconds = await readAll(streamReader(room, sent), readers);
  const cpu = (cpuMs(broker) - cpuBefore) / 1000;
  const peak = residentMb(broker, 'VmHWM');
  const total = (sent.bytes * readers) / MB;
  stage.log(`${sizeMb} MB to ${readers}: ${seconds.toFixed(1)} s; nginx ${http?.toFixed(1)} s`);
  const ceiling = http === undefined ? {} : { ceiling: { name: 'nginx', value: total / http } };
  const name = `${sizeMb} MB to ${readers} readers`;
  const used = `the broker used ${((cpu / seconds) * 100).toFixed(0)} % of a core`;
  return [
    { name, value: total / seconds, unit: 'MB/s', ...ceiling, note: `${seconds.toFixed(1)} s; ${used}` },
    {
      name: `${name}, the broker's memory at most`,
      value: peak,
      unit: 'MB',
      ceiling: { name: 'what it had before', value: before },
    },
  ];
}

type Reader = { args(readers: number): string[]; env?: Record<string, string> };

const httpReader = (nginx: Nginx, { file, sha256 }: Sent): Reader => ({
  args: (readers) => ['http', nginx.url(file), String(readers), sha256],
});

const streamReader = ({ reader }: Room, { queue, chunks, sha256 }: Sent): Reader => ({
  args: (readers) => ['stream', queue, String(readers), String(chunks), String(PREFETCH), sha256],
  env: { PEER_BROKER: reader },
});

/** Seconds from the start of all readers, which are connected by then, until the last has the whole. */
async function readAll({ args, env }: Reader, readers: number): Promise<number> {
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
