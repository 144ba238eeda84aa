import { Arena } from '../hosts/arena.ts';
import { outcome, pingJob } from '../hosts/jobs.ts';
import { hostIds } from '../hosts/names.ts';
import { median } from '../measure.ts';
import { addReader, publish, readAll, streamReader } from '../peers/artifact.ts';
import { openWorld } from '../real.ts';
import type { Figure, Servers, Stage, Suite } from '../suite.ts';

const HOSTS = 1_000;
const JOBS = 12;
const JOBS_AT_ONCE = 4;
const ROUNDS = 3;
const CHILDREN = 2;
const READERS = 100;
const SIZE_MB = 45;
const QUICK = { hosts: 200, jobs: 4, rounds: 1, readers: 20, sizeMb: 8 };
const WAYS = ['plain', 'tls'] as const;
const MB = 1e6;

/** What TLS costs: the same with it and without, in turn, on the same servers. */
export const suite: Suite = {
  name: 'tls',
  help: 'tasks a second and a package to 100 hosts, with TLS beside without',
  run,
};

type Way = (typeof WAYS)[number];
type Size = typeof QUICK;
type Round = { perSecond: number; connectMs: number; brokerUs: number; dispatcherUs: number };

async function run(stage: Stage): Promise<Figure[]> {
  const usual = { hosts: HOSTS, jobs: JOBS, rounds: ROUNDS, readers: READERS, sizeMb: SIZE_MB };
  const size = stage.quick ? QUICK : usual;
  const servers = await stage.servers({ tuned: true });
  const rounds: Record<Way, Round[]> = { plain: [], tls: [] };
  for (let i = 0; i < size.rounds * WAYS.length; i++) {
    stage.signal.throwIfAborted();
    const way = WAYS[i % WAYS.length]!;
    const played = await playRound(stage, servers, way, size, i === 0);
    stage.log(`${way}: ${Math.round(played.perSecond)} tasks/s`);
    rounds[way].push(played);
  }
  return [...figuresOf(rounds), await transfer(stage, servers, size)];
}

/** A dispatcher and hosts of its own, since they speak one way or the other; vhost, queues and tables stay. */
async function playRound(
  stage: Stage,
  servers: Servers,
  way: Way,
  { hosts, jobs }: Size,
  isFirst: boolean,
): Promise<Round> {
  await using arena = await Arena.open(stage, servers, { tls: way === 'tls' });
  if (isFirst) await arena.register(hostIds(hosts));
  await using fleet = await arena.startHosts({ ids: hostIds(hosts), children: CHILDREN, journals: 'files' });
  await pingJob(arena); // the first of everything takes longer
  const burnt = arena.burnt();
  const left = Array.from({ length: jobs }).values();
  const ids: string[] = [];
  const hand = async () => {
    for (const _ of left) ids.push(await pingJob(arena));
  };
  await Promise.all(Array.from({ length: JOBS_AT_ONCE }, hand));
  const after = arena.burnt();
  const each = (of: 'broker' | 'dispatcher') => ((after[of] - burnt[of]) * 1_000) / (jobs * hosts);
  const { good, ms } = await outcome(arena, ids);
  const us = { brokerUs: each('broker'), dispatcherUs: each('dispatcher') };
  return { perSecond: (good * 1_000) / ms, connectMs: fleet.connectMs, ...us };
}

function figuresOf({ plain, tls }: Record<Way, Round[]>): Figure[] {
  const figure = (name: string, unit: string, of: keyof Round): Figure => {
    const middle = (rounds: Round[]) => median(rounds.map((one) => one[of]));
    return { name, unit, value: middle(tls), ceiling: { name: 'plain', value: middle(plain) } };
  };
  return [
    figure('ping of all hosts, with TLS', 'tasks/s', 'perSecond'),
    figure('the broker', 'us of CPU a task', 'brokerUs'),
    figure('the dispatcher', 'us of CPU a task', 'dispatcherUs'),
    figure('all hosts connecting', 'ms', 'connectMs'),
  ];
}

/** One stream, read over either listener of the broker, in turn. */
async function transfer(stage: Stage, servers: Servers, { rounds, readers, sizeMb }: Size): Promise<Figure> {
  const { amqpPort, tls } = servers.rabbitmq;
  await using world = await openWorld(stage, { servers });
  await world.startDispatcher();
  const sent = await publish(stage, world, sizeMb);
  const plain = await addReader(world);
  const secure = plain.replace('amqp:', 'amqps:').replace(`:${amqpPort}/`, `:${tls!.port}/`);
  const seconds: Record<Way, number[]> = { plain: [], tls: [] };
  for (let i = 0; i < rounds; i++) {
    seconds.plain.push(await readAll(streamReader(plain, sent), readers));
    seconds.tls.push(await readAll(streamReader(secure, sent, tls!.ca), readers));
  }
  const rate = (way: Way) => (sent.bytes * readers) / MB / median(seconds[way]);
  const name = `${sizeMb} MB to ${readers} readers, with TLS`;
  return { name, unit: 'MB/s', value: rate('tls'), ceiling: { name: 'plain', value: rate('plain') } };
}
