import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hashPassword } from '../../src/lib/management.ts';
import type { Permissions } from '../../src/lib/topology.ts';
import { startServers } from '../servers.ts';
import type { AgentProcess } from '../world/agent.ts';
import { viewerOf } from '../world/folder.ts';
import { World, type WorldOptions } from '../world/world.ts';
import type { Show } from './show.ts';

/** All that the demo plays on. Disposing of it leaves neither a process nor a file. */
export type Stage = AsyncDisposable & {
  world: World;
  ids: string[];
  agents: Map<string, AgentProcess>;
};

export type StageOptions = { folder: string; hosts: number; from: string; show: Show; signal: AbortSignal };

export async function openStage(options: StageOptions): Promise<Stage> {
  const { folder, hosts, from, show, signal } = options;
  await using opened = new AsyncDisposableStack();
  const servers = opened.use(await show.step('RabbitMQ and MariaDB', (log) => startServers({ folder, log })));
  signal.throwIfAborted();
  const tls = servers.rabbitmq.tls !== undefined;
  const what = tls ? 'a dispatcher, and TLS between all of them' : 'a dispatcher';
  const world = opened.use(await show.step(what, () => openWorld({ servers, folder, tls, signal })));
  const ids = hostIds(servers.external ? world.name : 'demo', hosts);
  const agents = new Map<string, AgentProcess>();
  await show.step(`version ${from}, built from this checkout and published`, () => world.publish(from));
  await show.step(`${nameAll(ids)}, each a loader with its agent, on ${from}`, async (note) => {
    for (const id of ids) {
      signal.throwIfAborted();
      const agent = await world.addHost(id, from);
      await agent.start();
      agents.set(id, agent);
      if (ids.length > 1) note(`${agents.size} of ${ids.length}`);
    }
    await world.untilOnline(ids);
  });
  const close = opened.move();
  return { world, ids, agents, [Symbol.asyncDispose]: () => close.disposeAsync() };
}

async function openWorld(options: WorldOptions): Promise<World> {
  const world = await World.open(options);
  try {
    // Packages are built in the folder for temporary files: let kill -9 leave none of them outside of ours.
    process.env.TMPDIR = join(world.folder, 'tmp');
    mkdirSync(process.env.TMPDIR);
    await world.startDispatcher();
    return world;
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

/** Users of a broker are known to all of its vhosts, so on the user's own servers the names must be ours alone. */
function hostIds(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${String(i + 1).padStart(2, '0')}`);
}

export function nameAll(ids: string[]): string {
  return ids.length === 1 ? `host ${ids[0]}` : `${ids.length} hosts, ${ids[0]} to ${ids.at(-1)}`;
}

export type Page = { url: string; user: string; password: string };

/** It may see all queues and may read from those of this vhost; it writes nothing and makes nothing. */
const MAY_LOOK: Permissions = {
  topic: { exchange: 'mega.up', write: '^$', read: '^$' },
  access: { configure: '^$', write: '^$', read: '.*' },
};

/** A login for people to RabbitMQ's page. The world removes it with everything else. */
export async function openPage({ management, name, servers }: World): Promise<Page> {
  const { protocol, host, pathname } = new URL(servers.rabbitmq.managementUrl);
  const user = servers.external ? viewerOf(name) : 'demo';
  const password = randomBytes(8).toString('hex');
  await management.putUser(user, hashPassword(password), MAY_LOOK, 'monitoring');
  return { url: `${protocol}//${host}${pathname}`, user, password };
}
