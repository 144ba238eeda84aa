import { BarePeer } from '../bare/peer.ts';
import { Arena } from '../hosts/arena.ts';
import { pingJob } from '../hosts/jobs.ts';
import { hostIds } from '../hosts/names.ts';
import { quantile } from '../measure.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const FEW = 50;
const MANY = 1_000;
const PER_SECOND = 50;
const SECONDS = 20;
const QUICK_SECONDS = 5;
const CHILDREN = 2;

/** What one person waits for whose command goes to one host. */
export const suite: Suite = {
  name: 'latency',
  help: 'how long one ping takes, 50 of them a second: with nothing else going on, and beside a large job',
  run,
};

type Rate = { perSecond: number; seconds: number };

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true });
  await using arena = await Arena.open(stage, servers);
  await arena.register(hostIds(FEW + MANY));
  await using _few = await arena.startHosts({ ids: hostIds(FEW), children: 1 });
  const { peer } = await BarePeer.open(servers, FEW + MANY, CHILDREN);
  await using _ = peer;
  const rate = { perSecond: PER_SECOND, seconds: stage.quick ? QUICK_SECONDS : SECONDS };
  const warm = { ...rate, seconds: 2 };
  await peer.atRate(warm);
  await pingsAtRate(arena, warm);
  stage.log('bare, then ours, with nothing else going on');
  const bareIdle = await peer.atRate(rate);
  const idle = await pingsAtRate(arena, rate);
  stage.log(`and beside jobs over ${MANY} hosts`);
  await using _many = await arena.startHosts({ ids: hostIds(MANY, FEW), children: CHILDREN });
  const bareBusy = await beside(
    () => peer.loop({ tasks: MANY, outstanding: MANY }),
    () => peer.atRate(rate),
  );
  const others = hostIds(MANY, FEW);
  const busy = await beside(
    () => pingJob(arena, others),
    () => pingsAtRate(arena, rate),
  );
  return [
    ...figuresOf('bare task', bareIdle),
    ...figuresOf('one ping', idle, bareIdle),
    ...figuresOf(`bare task beside bare jobs over ${MANY} hosts`, bareBusy),
    ...figuresOf(`one ping beside jobs over ${MANY} hosts`, busy, bareBusy),
  ];
}

/** ms of each, from the call until the caller is told that it has ended, which is after the commit. */
async function pingsAtRate(arena: Arena, { perSecond, seconds }: Rate): Promise<number[]> {
  const began = performance.now();
  const ping = async (i: number) => {
    await new Promise((resolve) => setTimeout(resolve, (i * 1000) / perSecond));
    const called = performance.now();
    await pingJob(arena, [hostIds(1, i % FEW)[0]!]);
    return performance.now() - called;
  };
  const times = await Promise.all(Array.from({ length: perSecond * seconds }, (_, i) => ping(i)));
  const took = (performance.now() - began) / 1000;
  if (took > seconds + 15) throw new Error(`${times.length} pings took ${took} s: the rate was not held`);
  return times;
}

/** One job after the other, as long as `work` lasts. */
async function beside<T>(job: () => Promise<unknown>, work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const jobs = (async () => {
    while (!isOver) await job();
  })();
  try {
    return await work();
  } finally {
    isOver = true;
    await jobs;
  }
}

function figuresOf(name: string, times: number[], bare?: number[]): Figure[] {
  return [50, 99].map((share) => {
    const value = quantile(times, share / 100);
    const ceiling = bare && { ceiling: { name: 'the bare one', value: quantile(bare, share / 100) } };
    return { name: `${name}, p${share}`, value, unit: 'ms', ...ceiling };
  });
}
