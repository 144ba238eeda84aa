import { BarePeer } from '../bare/peer.ts';
import { Arena, type Burnt, usEach } from '../hosts/arena.ts';
import type { Fleet } from '../hosts/fleet.ts';
import { addNoopJob, outcome, pingJob, untilEnded } from '../hosts/jobs.ts';
import { hostIds } from '../hosts/names.ts';
import { median } from '../measure.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

/** A thousand tasks a job, of which four are under way at a time: more outstanding gain nothing. */
const HOSTS = 1_000;
const JOBS = 20;
const JOBS_AT_ONCE = 4;
const ROUNDS = 3;
const CHILDREN = 2;
const KINDS = ['bare', 'ping', 'noop'] as const;

/** How many tasks go round: an order to its host, the result back, and into the database. */
export const suite: Suite = {
  name: 'loop',
  help: 'tasks a second through 1,000 hosts, beside the same hops in bare code',
  run,
};

/** `lost`: what the fleet did not answer in the ten seconds that a ping may take. */
type Round = { perSecond: number; us: Burnt; hostsUs: number; lost: number };
type Kind = 'bare' | 'ping' | 'noop';

/** A round of each in turn, so that whatever else the machine does meanwhile falls on all of them. */
async function run(stage: Stage): Promise<Figure[]> {
  const size = stage.quick ? { jobs: 6, rounds: 1 } : { jobs: JOBS, rounds: ROUNDS };
  const servers = await stage.servers({ tuned: true });
  await using arena = await Arena.open(stage, servers);
  await arena.register(hostIds(HOSTS));
  await using fleet = await arena.startHosts({ ids: hostIds(HOSTS), children: CHILDREN, journals: 'files' });
  const { peer } = await BarePeer.open(servers, HOSTS, CHILDREN);
  await using _ = peer;
  const play = {
    bare: (jobs: number) => bareRound(arena, peer, jobs),
    ping: (jobs: number) => round(arena, fleet, jobs, JOBS_AT_ONCE, () => pingJob(arena)),
    // Nobody tells the dispatcher of these, and it looks twice a second: there must always be another one waiting.
    noop: (jobs: number) => round(arena, fleet, jobs, 2 * JOBS_AT_ONCE, () => noopJob(arena)),
  };
  for (const kind of KINDS) await play[kind](1); // the first of everything takes longer
  const all: Record<Kind, Round[]> = { bare: [], ping: [], noop: [] };
  for (let i = 0; i < size.rounds * KINDS.length; i++) {
    stage.signal.throwIfAborted();
    const kind = KINDS[i % KINDS.length]!;
    const played = await play[kind](size.jobs);
    stage.log(`${kind}: ${Math.round(played.perSecond)} tasks/s; ${shares([played])}`);
    all[kind].push(played);
  }
  const bare: Figure = { name: 'bare loop', value: rate(all.bare), unit: 'tasks/s', note: shares(all.bare) };
  return [bare, ...figuresOf('ping', all.ping, all.bare), ...figuresOf('journaled task', all.noop, all.bare)];
}

async function bareRound(arena: Arena, peer: BarePeer, jobs: number): Promise<Round> {
  const tasks = jobs * HOSTS;
  const look = () => ({ ...arena.burnt(), dispatcher: peer.dispatcherMs() });
  const [before, hostsBefore] = [look(), peer.hostsMs()];
  const ms = await peer.loop({ tasks, outstanding: JOBS_AT_ONCE * HOSTS });
  const hostsUs = ((peer.hostsMs() - hostsBefore) * 1000) / tasks;
  return { perSecond: (tasks * 1000) / ms, us: usEach(before, look(), tasks), hostsUs, lost: 0 };
}

async function round(
  arena: Arena,
  fleet: Fleet,
  jobs: number,
  atOnce: number,
  job: () => Promise<string>,
): Promise<Round> {
  const tasks = jobs * HOSTS;
  const [before, hostsBefore] = [arena.burnt(), fleet.cpuMs()];
  const ids = await jobsInTurn(jobs, atOnce, job);
  const us = usEach(before, arena.burnt(), tasks);
  const hostsUs = ((fleet.cpuMs() - hostsBefore) * 1000) / tasks;
  const { good, ms } = await outcome(arena, ids);
  return { perSecond: (good * 1000) / ms, us, hostsUs, lost: tasks - good };
}

const noopJob = async (arena: Arena) => untilEnded(arena, await addNoopJob(arena, hostIds(HOSTS)));

/** At most `atOnce` of them at a time; the ids of all. */
async function jobsInTurn(count: number, atOnce: number, job: () => Promise<string>): Promise<string[]> {
  const left = Array.from({ length: count }).values();
  const ids: string[] = [];
  const hand = async () => {
    for (const _ of left) ids.push(await job());
  };
  await Promise.all(Array.from({ length: atOnce }, hand));
  return ids;
}

function figuresOf(name: string, rounds: Round[], bare: Round[]): Figure[] {
  const us = (of: keyof Burnt) => median(rounds.map((one) => one.us[of]));
  const bareUs = (of: keyof Burnt) => ({ name: 'bare loop', value: median(bare.map((one) => one.us[of])) });
  const unit = 'us of CPU a task';
  const ceiling = { name: 'bare loop', value: rate(bare) };
  const most = Math.max(...rounds.map((one) => one.perSecond));
  const least = Math.min(...rounds.map((one) => one.perSecond));
  const lost = rounds.reduce((sum, one) => sum + one.lost, 0);
  const told = lost > 0 ? [`${lost} NOT ANSWERED IN TIME`] : [];
  const spread = [...told, `${Math.round(least)} to ${Math.round(most)} tasks/s`, shares(rounds)].join('; ');
  const total = { name: 'bare loop', value: median(bare.map(totalUs)) };
  return [
    { name, value: rate(rounds), unit: 'tasks/s', ceiling, aim: { atLeast: 0.9, of: 'ratio' }, note: spread },
    { name: `${name}: all processes`, value: median(rounds.map(totalUs)), unit, ceiling: total },
    {
      name: `${name}: dispatcher`,
      value: us('dispatcher'),
      unit,
      ceiling: bareUs('dispatcher'),
      aim: { atMost: 50 },
    },
    {
      name: `${name}: database`,
      value: us('database'),
      unit,
      ceiling: bareUs('database'),
      aim: { atMost: 40 },
    },
    { name: `${name}: broker`, value: us('broker'), unit, ceiling: bareUs('broker') },
  ];
}

const totalUs = ({ us, hostsUs }: Round) => us.broker + us.dispatcher + us.database + hostsUs;
const rate = (rounds: Round[]) => median(rounds.map((one) => one.perSecond));

/** Who burns the cores. */
function shares(rounds: Round[]): string {
  const of = (pick: (one: Round) => number) => median(rounds.map(pick));
  const all = {
    broker: of((one) => one.us.broker),
    dispatcher: of((one) => one.us.dispatcher),
    database: of((one) => one.us.database),
    hosts: of((one) => one.hostsUs),
  };
  const total = Object.values(all).reduce((sum, one) => sum + one, 0);
  const parts = Object.entries(all).map(([name, us]) => `${name} ${Math.round((100 * us) / total)} %`);
  return `of ${Math.round(total)} us of CPU a task: ${parts.join(', ')}`;
}
