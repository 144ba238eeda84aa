import { setTimeout as sleep } from 'node:timers/promises';
import { BarePeer } from '../bare/peer.ts';
import { Arena, type Burnt, usEach } from '../hosts/arena.ts';
import { outcome, pingJob } from '../hosts/jobs.ts';
import { hostIds } from '../hosts/names.ts';
import { median, residentMb } from '../measure.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const SIZES = [1_000, 5_000, 10_000];
const QUICK_SIZES = [200, 1_000];
/** The sizes at which the broker runs with its own defaults, too. */
const UNTUNED = 5_000;
const QUICK_UNTUNED = 1_000;
const HOSTS_A_CHILD = 2_500;
const PINGS = 3;
const IDLE_MS = 20_000;
const QUICK_IDLE_MS = 5_000;
const SETTLE_MS = 5_000;

/** What hosts cost that are merely there, and whether the ten thousandth costs more than the first. */
export const suite: Suite = {
  name: 'fleet',
  help: 'connecting, pinging and keeping 1,000, 5,000 and 10,000 hosts',
  run,
};

type Measured = {
  hosts: number;
  /** Until all read their queues. */
  connectMs: number;
  /** Until the dispatcher has heard them all. */
  onlineMs: number;
  pingMs: number;
  lost: number;
  /** For each host that is pinged. */
  us: Burnt;
  /** Percent of a core. */
  idle: Burnt;
  brokerKbAHost: number;
  brokerMb: number;
  dispatcherMb: number;
};
type Bare = { connectMs: number; pingMs: number };

async function run(stage: Stage): Promise<Figure[]> {
  const tuned: Measured[] = [];
  for (const hosts of stage.quick ? QUICK_SIZES : SIZES) tuned.push(await measure(stage, hosts, true));
  const untuned = await measure(stage, stage.quick ? QUICK_UNTUNED : UNTUNED, false);
  const largest = tuned.at(-1)!;
  const bare = await measureBare(stage, largest.hosts);
  return [
    ...tuned.flatMap((one) => figuresOf(one, tuned[0]!, one === largest ? bare : undefined)),
    ...untunedFigures(untuned, tuned.find(({ hosts }) => hosts === untuned.hosts)!),
  ];
}

async function measure(stage: Stage, hosts: number, tuned: boolean): Promise<Measured> {
  await using servers = await stage.servers({ tuned });
  await using arena = await Arena.open(stage, servers);
  const ids = hostIds(hosts);
  stage.log(`registering ${hosts} hosts${tuned ? '' : " with the broker's own defaults"}`);
  await arena.register(ids);
  const before = residentMb(arena.brokerPid);
  const children = Math.max(2, Math.ceil(hosts / HOSTS_A_CHILD));
  await using fleet = await arena.startHosts({ ids, children });
  const onlineMs = performance.now() - fleet.began;
  const pings = await pingAll(arena, hosts);
  const idle = await idleShares(arena, stage.quick ? QUICK_IDLE_MS : IDLE_MS, stage.signal);
  const brokerMb = residentMb(arena.brokerPid);
  const brokerKbAHost = ((brokerMb - before) * 1024) / hosts;
  const memory = { brokerMb, brokerKbAHost, dispatcherMb: residentMb(arena.dispatcherPid) };
  const measured = { hosts, connectMs: fleet.connectMs, onlineMs, ...pings, idle, ...memory };
  stage.log(JSON.stringify(measured, (_, value) => (typeof value === 'number' ? Math.round(value) : value)));
  return measured;
}

async function pingAll(arena: Arena, hosts: number) {
  await pingJob(arena); // the first of everything takes longer
  const times: number[] = [];
  let good = 0;
  const before = arena.burnt();
  for (let i = 0; i < PINGS; i++) {
    const ended = await outcome(arena, [await pingJob(arena)]);
    times.push(ended.ms);
    good += ended.good;
  }
  const us = usEach(before, arena.burnt(), hosts * PINGS);
  return { pingMs: median(times), lost: hosts * PINGS - good, us };
}

async function idleShares(arena: Arena, ms: number, signal: AbortSignal): Promise<Burnt> {
  await sleep(SETTLE_MS, undefined, { signal });
  const [before, began] = [arena.burnt(), performance.now()];
  await sleep(ms, undefined, { signal });
  const after = arena.burnt();
  const passed = performance.now() - began;
  const share = (of: keyof Burnt) => (100 * (after[of] - before[of])) / passed;
  return { broker: share('broker'), dispatcher: share('dispatcher'), database: share('database') };
}

async function measureBare(stage: Stage, hosts: number): Promise<Bare> {
  await using servers = await stage.servers({ tuned: true });
  stage.log(`${hosts} bare hosts`);
  const children = Math.max(2, Math.ceil(hosts / HOSTS_A_CHILD));
  const { peer, connectMs } = await BarePeer.open(servers, hosts, children);
  await using _ = peer;
  const pings = { tasks: hosts, outstanding: hosts + 1_000 };
  await peer.loop(pings);
  const times = [await peer.loop(pings), await peer.loop(pings), await peer.loop(pings)];
  return { connectMs, pingMs: median(times) };
}

function figuresOf(one: Measured, smallest: Measured, bare?: Bare): Figure[] {
  const all = one.hosts.toLocaleString('en-US');
  const beside = (ms: number | undefined) =>
    ms === undefined ? {} : { ceiling: { name: 'bare', value: ms / 1000 } };
  const at = `at ${smallest.hosts.toLocaleString('en-US')} hosts`;
  const grown = (pick: (of: Measured) => number) =>
    one === smallest ? {} : { ceiling: { name: at, value: pick(smallest) } };
  const aim = one.hosts === 10_000 ? { aim: { atMost: 4.2 } } : {};
  const lost = one.lost > 0 ? { note: `${one.lost} of ${PINGS * one.hosts} NOT ANSWERED IN TIME` } : {};
  const each = 'us of CPU a host';
  const idleEach = (of: Measured, part: keyof Burnt) => (of.idle[part] * 10_000) / of.hosts;
  const parts = ['broker', 'dispatcher', 'database'] as const;
  return [
    { name: `${all} hosts: connect all`, value: one.connectMs / 1000, unit: 's', ...beside(bare?.connectMs) },
    {
      name: `${all} hosts: ping all`,
      value: one.pingMs / 1000,
      unit: 's',
      ...beside(bare?.pingMs),
      ...aim,
      ...lost,
    },
    ...parts.map((part): Figure => {
      return {
        name: `${all} hosts: ping all, ${part}`,
        value: one.us[part],
        unit: each,
        ...grown((of) => of.us[part]),
      };
    }),
    ...parts.map((part): Figure => {
      const note = `${one.idle[part].toFixed(1)} % of a core for all of them`;
      const [value, unit] = [idleEach(one, part), 'us of CPU a host and s'];
      return { name: `${all} hosts: idle, ${part}`, value, unit, ...grown((of) => idleEach(of, part)), note };
    }),
    {
      ...{ name: `${all} hosts: broker's memory`, value: one.brokerKbAHost, unit: 'KB a host' },
      ...{ ...grown((of) => of.brokerKbAHost), note: `${Math.round(one.brokerMb)} MB in all` },
    },
    { name: `${all} hosts: dispatcher's memory`, value: one.dispatcherMb, unit: 'MB' },
  ];
}

function untunedFigures(own: Measured, tuned: Measured): Figure[] {
  const all = `${own.hosts.toLocaleString('en-US')} hosts, broker by its own defaults`;
  const beside = (value: number) => ({ ceiling: { name: 'deploy/rabbitmq.conf', value } });
  const seconds = (name: string, pick: (of: Measured) => number): Figure => {
    return { name: `${all}: ${name}`, value: pick(own) / 1000, unit: 's', ...beside(pick(tuned) / 1000) };
  };
  return [
    seconds('connect all', (of) => of.connectMs),
    seconds('hear all', (of) => of.onlineMs),
    seconds('ping all', (of) => of.pingMs),
    {
      name: `${all}: idle, broker`,
      value: own.idle.broker,
      unit: '% of a core',
      ...beside(tuned.idle.broker),
    },
    {
      name: `${all}: broker's memory`,
      value: own.brokerKbAHost,
      unit: 'KB a host',
      ...beside(tuned.brokerKbAHost),
    },
  ];
}
