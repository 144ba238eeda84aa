import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askBroker } from '../../dev/world/broker.ts';
import type { World } from '../../dev/world/world.ts';
import { hashPassword } from '../../src/lib/management.ts';
import { EXCHANGE, HOST_LIMITS, hostPermissions, hostQueue } from '../../src/lib/topology.ts';

/** The same management API, by way of somebody who counts what it is asked. */
export async function countRequests(managementUrl: string) {
  const target = new URL(managementUrl);
  const counter = { requests: 0 };
  const server = createServer((asked, answer) => {
    counter.requests++;
    const { method, headers, url: path } = asked;
    const passed = request({ host: target.hostname, port: target.port, method, headers, path }, (given) => {
      answer.writeHead(given.statusCode ?? 500, given.headers);
      given.pipe(answer);
    });
    asked.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return Object.assign(counter, { url: url.href.replace(/\/$/, ''), [Symbol.asyncDispose]: close });
}

/** Hosts that are registered as they should be, made at once: without an agent. */
export async function manyHosts(world: World, count: number): Promise<AsyncDisposable> {
  const hosts = Array.from({ length: count }, (_, i) => `${world.name}-m${i}`);
  for (let at = 0; at < count; at += 500) await register(world, hosts.slice(at, at + 500));
  return {
    [Symbol.asyncDispose]: async () => {
      for (let at = 0; at < count; at += 500) {
        await askBroker(world, 'POST', 'users/bulk-delete', { users: hosts.slice(at, at + 500) });
      }
    },
  };
}

async function register(world: World, hosts: string[]): Promise<void> {
  const vhost = world.name;
  const secret = hashPassword('nobody knows it');
  const of = hosts.map((host) => ({ host, ...hostPermissions(host) }));
  const definitions = {
    users: hosts.map((name) => ({ name, password_hash: secret, tags: '', limits: HOST_LIMITS })),
    topic_permissions: of.map(({ host, topic }) => ({ user: host, vhost, ...topic })),
    permissions: of.map(({ host, access }) => ({ user: host, vhost, ...access })),
    queues: hosts.map((host) => ({
      ...{ name: hostQueue(host), vhost, durable: true, auto_delete: false, arguments: {} },
    })),
    bindings: hosts.map((host) => ({
      ...{ source: EXCHANGE.task, vhost, destination: hostQueue(host), destination_type: 'queue' },
      ...{ routing_key: host, arguments: {} },
    })),
  };
  await askBroker(world, 'POST', 'definitions', definitions);
  const at = new Date();
  const rows = hosts.map((host) => [host, at, secret]);
  await world.database().run('INSERT INTO hosts (id, registered_at, password_hash) VALUES ?', [rows]);
}
