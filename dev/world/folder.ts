import { mkdirSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { conn } from '../../src/lib/conn.ts';
import { Management } from '../../src/lib/management.ts';
import { JOINER_PREFIX } from '../../src/lib/topology.ts';
import { removeFolder } from '../servers/folder.ts';
import { startTicks } from '../servers/ticks.ts';
import type { Servers } from '../servers.ts';

/*
 * INVARIANTS
 * - A world's folder is named world-OWNERPID-OWNERSTART-NAME, so that it says from its first moment whose it is; the
 *   start time (clock ticks since boot) tells an owner from a later process with the same id.
 * - All that a world has on its servers can be named from its folder alone, so that the next world clears away what
 *   an owner that was killed has left there.
 */
const folderName = /^world-(\d+)-(\d+)-(t[0-9a-f]+)$/;

/** Holds the URL of the broker that the world lives on. */
export const managementFile = 'management.url';
export const hostsFolder = 'hosts';
/** The login for people who only look. */
export const viewerOf = (world: string) => `viewer_${world}`;

export function createWorldFolder(parent: string, name: string): string {
  const ticks = startTicks(process.pid);
  const folder = join(resolve(parent), `world-${process.pid}-${ticks}-${name}`);
  mkdirSync(resolve(parent), { recursive: true });
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** Removes what worlds whose owners were killed have left behind, on these servers and in this folder. */
export async function sweepWorlds(parent: string, servers: Servers): Promise<void> {
  for (const entry of await readdir(parent).catch(() => [])) {
    const [, pid, ticks, name] = folderName.exec(entry) ?? [];
    if (name === undefined || startTicks(Number(pid)) === ticks) continue;
    const folder = join(resolve(parent), entry);
    const broker = await readFile(join(folder, managementFile), 'utf8').catch(() => undefined);
    if (broker === servers.rabbitmq.managementUrl) await removeFromServers(servers, folder, name);
    await removeFolder(folder);
  }
}

/** The vhost first: without it nobody who is still connected can do anything. */
export async function removeFromServers(servers: Servers, folder: string, name: string): Promise<void> {
  const management = new Management(servers.rabbitmq.managementUrl, name);
  const users = await management
    .permissions()
    .then((all) => [...all.keys()])
    .catch(() => []);
  const joiners = users.filter((user) => user.startsWith(JOINER_PREFIX));
  await management.deleteVhost();
  const hosts = await readdir(join(folder, hostsFolder)).catch(() => []);
  for (const user of [`mega_${name}`, `op_${name}`, viewerOf(name), ...joiners, ...hosts])
    await management.deleteUser(user);
  await using server = conn(servers.mariadb.url, { connections: 1 });
  await server.run(`DROP DATABASE IF EXISTS mega_${name}`);
}
