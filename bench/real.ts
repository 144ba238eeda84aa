import { join } from 'node:path';
import type { AgentProcess } from '../dev/world/agent.ts';
import { World } from '../dev/world/world.ts';
import type { Servers, Stage } from './suite.ts';

/**
 * A fleet of real agents in homes of their own, configured as users' are: a world for tests would have them say far
 * more often that they are alive.
 */
const USUAL_AGENT = { heartbeatMs: 20_000, reconnectMs: 5_000, arbitrationMs: 60_000 };
const USUAL_DISPATCHER = { offlineAfterMs: 65_000, lostGraceMs: 120_000 };
/** Homes made side by side, and agents started side by side: both burn a core each. */
const AT_ONCE = 4;

export type RealOptions = {
  servers: Servers;
  /** What differs from the usual, such as a broker that is reached another way. */
  agent?: object;
};

export function openWorld(stage: Stage, { servers, agent = {} }: RealOptions): Promise<World> {
  return World.open({
    servers,
    folder: join(stage.folder, 'worlds'),
    dispatcher: USUAL_DISPATCHER,
    agent: Object.assign(agent, { ...USUAL_AGENT, ...agent }),
    signal: stage.signal,
  });
}

/** Adds and starts agents until all have been heard. */
export async function addAgents(stage: Stage, world: World, ids: string[], version: string) {
  const agents: AgentProcess[] = [];
  await world.build(version); // before several ask for it
  await sideBySide(AT_ONCE, ids, async (id) => {
    stage.signal.throwIfAborted();
    const agent = await world.addHost(id, version);
    await agent.start();
    agents.push(agent);
    if (agents.length % 25 === 0) stage.log(`${agents.length} of ${ids.length} agents are started`);
  });
  await world.untilOnline(ids);
  return agents;
}

export const hostIds = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => `bench-${String(i + from).padStart(3, '0')}`);

/** Works through `items`, at most `atOnce` of them at a time; the first failure ends it. */
export async function sideBySide<T>(
  atOnce: number,
  items: T[],
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const hand = async () => {
    for (const one of left) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, hand));
}
