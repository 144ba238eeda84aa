import type { World } from '../../dev/world/world.ts';
import { cpuMs, forgetPeak, processIn, residentMb } from '../measure.ts';
import {
  addReader,
  PROCESSES,
  publish,
  type Reader,
  readAll,
  type Sent,
  streamReader,
} from '../peers/artifact.ts';
import { type Nginx, startNginx } from '../peers/nginx.ts';
import { openWorld } from '../real.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const MB = 1e6;
const SIZES_MB = [1, 45];
const READERS = [100, 500];
const QUICK_SIZES_MB = [1, 8];
const QUICK_READERS = [20];

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
    const sent = await publish(stage, world, size);
    for (const readers of stage.quick ? QUICK_READERS : READERS) {
      stage.signal.throwIfAborted();
      figures.push(...(await measure(room, sent, size, readers)));
    }
  }
  return figures;
}

async function measure(room: Room, sent: Sent, sizeMb: number, readers: number): Promise<Figure[]> {
  const { nginx, broker, stage } = room;
  const http = nginx && (await readAll(httpReader(nginx, sent), readers));
  forgetPeak(broker);
  const [cpuBefore, before] = [cpuMs(broker), residentMb(broker)];
  const seconds = await readAll(streamReader(room.reader, sent), readers);
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

const httpReader = (nginx: Nginx, { file, sha256 }: Sent): Reader => ({
  args: (readers) => ['http', nginx.url(file), String(readers), sha256],
});
