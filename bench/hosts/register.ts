import type { Conn } from '../../src/lib/conn.ts';
import { hashPassword } from '../../src/lib/management.ts';
import { EXCHANGE, HOST_LIMITS, hostPermissions, hostQueue } from '../../src/lib/topology.ts';
import { SECRET, VHOST } from './names.ts';

const BATCH = 500;
const IMPORT_TIMEOUT_MS = 180_000;

/**
 * Registers many hosts at once: what `mega host add` does for one of them in half a dozen requests, the broker takes
 * for hundreds in one file of definitions.
 */
export async function register(managementUrl: string, db: Conn, ids: string[]): Promise<void> {
  const passwordHash = hashPassword(SECRET);
  for (let at = 0; at < ids.length; at += BATCH) {
    const batch = ids.slice(at, at + BATCH);
    await importDefinitions(managementUrl, definitionsOf(batch, passwordHash));
    await db.run('INSERT INTO hosts (id, registered_at) VALUES ?', [batch.map((id) => [id, new Date()])]);
  }
}

function definitionsOf(ids: string[], passwordHash: string) {
  const permissions = ids.map((user) => ({ user, ...hostPermissions(user) }));
  const hashing = 'rabbit_password_hashing_sha256';
  const user = { password_hash: passwordHash, hashing_algorithm: hashing, tags: '', limits: HOST_LIMITS };
  const queue = { vhost: VHOST, durable: true, auto_delete: false, arguments: {} };
  const binding = { vhost: VHOST, source: EXCHANGE.task, destination_type: 'queue', arguments: {} };
  return {
    users: ids.map((name) => ({ name, ...user })),
    topic_permissions: permissions.map(({ user, topic }) => ({ user, vhost: VHOST, ...topic })),
    permissions: permissions.map(({ user, access }) => ({ user, vhost: VHOST, ...access })),
    queues: ids.map((id) => ({ name: hostQueue(id), ...queue })),
    bindings: ids.map((id) => ({ ...binding, destination: hostQueue(id), routing_key: id })),
  };
}

async function importDefinitions(managementUrl: string, definitions: object): Promise<void> {
  const { host, username, password } = new URL(managementUrl);
  const response = await fetch(`http://${host}/api/definitions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
    },
    body: JSON.stringify(definitions),
    signal: AbortSignal.timeout(IMPORT_TIMEOUT_MS),
  });
  if (!response.ok)
    throw new Error(`the definitions are refused: ${response.status} ${await response.text()}`);
}
