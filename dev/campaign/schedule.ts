import { Random } from './random.ts';

/**
 * What happens in a campaign, and when: pure data made from a seed, so that the same seed makes the same campaign.
 *
 * INVARIANTS
 * - Nothing is broken twice at once: a broker that is down is not killed. Different things break at the same time.
 * - A host is killed at most twice within a trial, or our kills and not the release would use up its starts, and
 *   the loader would be right to go back.
 */
export const OUTAGES = [
  'broker.kill',
  'broker.stop',
  'broker.freeze',
  'database.kill',
  'database.stop',
  'dispatcher.kill',
  'dispatcher.stop',
  'agent.kill',
  'host.kill',
  'host.stop',
  'link.cut',
  'link.freeze',
  'link.lose',
  'link.throttle',
  'net.down',
] as const;
export const WORK = ['upgrade', 'upgrade.bad', 'upgrade.self', 'ping', 'cancel'] as const;
export type Kind = (typeof OUTAGES)[number] | (typeof WORK)[number];

export type Happening = {
  atMs: number;
  kind: Kind;
  /** How long it lasts; 0 for what is over at once. */
  forMs: number;
  /** The hosts that it befalls, as numbers from 0; of `net.down` the group's number. */
  hosts: number[];
  /** Which dispatcher. */
  which?: number;
  to?: string;
  bytesPerSecond?: number;
  /** Which of the tasks that are open then: from 0 up to 1. */
  share?: number;
};

export type Plan = {
  seed: number;
  seconds: number;
  hosts: number;
  /** Groups of hosts with a network of their own. */
  groups: number;
  dispatchers: number;
  good: readonly string[];
  /** Those that must never stay: they crash, hang or keep silent. */
  bad: readonly string[];
};

type Track = {
  kinds: readonly Kind[];
  everySeconds: number;
  make(random: Random, kind: Kind, plan: Plan): Omit<Happening, 'atMs' | 'kind'>;
};

/** Longer than the trial that the campaign asks for. */
const KILL_AGAIN_MS = 45_000;
/** What has been down gets so long to come up again and be of use. */
const RECOVER_MS = 12_000;

export function makeSchedule(plan: Plan): Happening[] {
  const random = new Random(plan.seed);
  const all = tracksOf(plan).flatMap((track) => fill(track, plan, random));
  const worse = all.flatMap((one) => withDispatchers(one, plan, random));
  return withoutCollisions([...all, ...worse].toSorted((a, b) => a.atMs - b.atMs));
}

/**
 * While the database is away, dispatchers hold what they have read and could not record: in every second such outage
 * all of them are killed with it. By chance alone that would hardly ever happen.
 */
function withDispatchers(one: Happening, plan: Plan, random: Random): Happening[] {
  if (!one.kind.startsWith('database.') || random.next() < 0.5) return [];
  const atMs = one.atMs + random.whole(500, one.forMs);
  if (atMs >= plan.seconds * 1000) return [];
  return Array.from({ length: plan.dispatchers }, (_, which) => {
    return { atMs, kind: 'dispatcher.kill', forMs: 0, hosts: [], which };
  });
}

/** Evenly spread with a random place in each part, so that a short campaign has a little of everything, too. */
function fill({ kinds, everySeconds, make }: Track, plan: Plan, random: Random): Happening[] {
  const count = Math.max(1, Math.round(plan.seconds / everySeconds));
  const part = (plan.seconds * 1000) / count;
  let rotation: Kind[] = [];
  return Array.from({ length: count }, (_, i) => {
    if (rotation.length === 0) rotation = random.some(kinds, kinds.length);
    const kind = rotation.pop()!;
    return { atMs: Math.floor((i + random.next()) * part), kind, ...make(random, kind, plan) };
  });
}

const seconds = (random: Random, least: number, most: number) => random.whole(least * 1000, most * 1000);
const everyHost = (plan: Plan) => Array.from({ length: plan.hosts }, (_, i) => i);
const someHosts = (random: Random, plan: Plan, least: number, most: number) =>
  random.some(everyHost(plan), random.whole(Math.max(1, least), Math.max(1, most)));

function tracksOf(plan: Plan): Track[] {
  const { hosts } = plan;
  const lasting = (least: number, most: number) => (random: Random) => ({
    forMs: seconds(random, least, most),
    hosts: [],
  });
  const tracks: Track[] = [
    { kinds: ['broker.kill', 'broker.freeze', 'broker.stop'], everySeconds: 40, make: lasting(2, 14) },
    { kinds: ['database.kill', 'database.stop'], everySeconds: 40, make: lasting(2, 12) },
    {
      kinds: ['dispatcher.kill', 'dispatcher.stop'],
      everySeconds: 20,
      make: (random) => ({
        ...lasting(0, 8)(random),
        which: random.whole(0, plan.dispatchers - 1),
      }),
    },
    {
      kinds: ['agent.kill', 'host.kill', 'agent.kill', 'host.stop'],
      everySeconds: 90 / hosts,
      make: (random, kind) => ({
        forMs: kind === 'agent.kill' ? 0 : seconds(random, 0, 8),
        hosts: someHosts(random, plan, 1, 1),
      }),
    },
    {
      kinds: ['link.cut', 'link.freeze', 'link.lose', 'link.throttle'],
      everySeconds: 120 / hosts,
      make: (random, kind) => ({
        forMs: seconds(random, 1, 20),
        hosts: someHosts(random, plan, 1, hosts / 4),
        ...(kind === 'link.throttle' ? { bytesPerSecond: random.whole(4, 128) << 10 } : {}),
      }),
    },
    ...workOf(plan),
  ];
  if (plan.groups === 0) return tracks;
  const group = (random: Random) => [random.whole(0, plan.groups - 1)];
  const make = (random: Random) => ({ forMs: seconds(random, 3, 20), hosts: group(random) });
  return [...tracks, { kinds: ['net.down'], everySeconds: 30, make }];
}

function workOf(plan: Plan): Track[] {
  const { hosts, good, bad } = plan;
  const tracks: Track[] = [
    {
      kinds: ['upgrade'],
      everySeconds: 18,
      make: (random) => ({
        forMs: 0,
        hosts: someHosts(random, plan, hosts / 4, (hosts * 2) / 3),
        to: random.pick(good),
      }),
    },
    {
      kinds: ['upgrade.self'],
      everySeconds: 18,
      make: (random) => ({ forMs: 0, hosts: someHosts(random, plan, 1, 1), to: random.pick(good) }),
    },
    { kinds: ['ping'], everySeconds: 9, make: () => ({ forMs: 0, hosts: everyHost(plan) }) },
    {
      kinds: ['cancel'],
      everySeconds: 12,
      make: (random) => ({ forMs: 0, hosts: [], share: random.next() }),
    },
  ];
  if (bad.length === 0) return tracks;
  const make = (random: Random) => ({
    forMs: 0,
    hosts: someHosts(random, plan, 1, hosts / 6),
    to: random.pick(bad),
  });
  return [...tracks, { kinds: ['upgrade.bad'], everySeconds: 40, make }];
}

/** In order of time: moves or drops what would break something that is broken already. */
function withoutCollisions(all: Happening[]): Happening[] {
  const freeAt = new Map<string, number>();
  const kept: Happening[] = [];
  for (const one of all) {
    const [what = ''] = one.kind.split('.');
    const free = (name: string) => (freeAt.get(name) ?? 0) <= one.atMs;
    const take = (name: string, restMs: number) => freeAt.set(name, one.atMs + one.forMs + restMs);
    if (what === 'agent' || what === 'host') {
      if (!one.hosts.every((host) => free(`host ${host}`))) continue;
      for (const host of one.hosts) take(`host ${host}`, KILL_AGAIN_MS);
    } else if (what === 'link') {
      one.hosts = one.hosts.filter((host) => free(`link ${host}`));
      if (one.hosts.length === 0) continue;
      for (const host of one.hosts) take(`link ${host}`, 0);
    } else if (['broker', 'database', 'dispatcher', 'net'].includes(what)) {
      const name = `${what} ${one.which ?? one.hosts.join()}`;
      if (!free(name)) continue;
      take(name, what === 'dispatcher' ? 0 : RECOVER_MS);
    }
    kept.push(one);
  }
  return kept;
}

/** One line for people. */
export function describeHappening(one: Happening, nameOf: (host: number) => string): string {
  const parts: string[] = [one.kind];
  if (one.which !== undefined) parts.push(`dispatcher ${one.which + 1}`);
  if (one.kind === 'net.down') parts.push(`group ${one.hosts[0]! + 1}`);
  else if (one.kind !== 'ping') parts.push(one.hosts.map(nameOf).join(' '));
  if (one.to !== undefined) parts.push(`to ${one.to}`);
  if (one.bytesPerSecond !== undefined) parts.push(`to ${one.bytesPerSecond >> 10} KB/s`);
  if (one.forMs > 0) parts.push(`for ${(one.forMs / 1000).toFixed(1)} s`);
  return parts.filter(Boolean).join(' ');
}
