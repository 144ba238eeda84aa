import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';

/** Names `count` ports of 127.0.0.1, all different, that were free a moment ago. */
export type PortPicker = (count: number) => Promise<number[]>;

const lowestPort = 10_240;
const defaultEphemeralLow = 32_768;
const triesPerPort = 200;

/**
 * Free ports below the ephemeral range. Asking the kernel for port 0 would name one inside that range, and then,
 * while a test has its server stopped, a reconnecting client may be given the very port it dials as its own
 * (and connect to itself), so that the server could not come back on it.
 */
export const freePorts: PortPicker = async (count) => {
  const limit = await ephemeralLow();
  const held: Server[] = [];
  try {
    for (let tries = count * triesPerPort; held.length < count; tries--) {
      if (tries === 0) throw new Error(`no ${count} free ports between ${lowestPort} and ${limit}`);
      const server = await hold(lowestPort + Math.floor(Math.random() * (limit - lowestPort)));
      if (server) held.push(server);
    }
    return held.map(portOf);
  } finally {
    await Promise.all(held.map((server) => server[Symbol.asyncDispose]()));
  }
};

async function ephemeralLow(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '');
  const low = Number(range.trim().split(/\s+/)[0]);
  return low > lowestPort + 1_000 ? low : defaultEphemeralLow;
}

/** Undefined when the port is taken. */
async function hold(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a held port has no address');
  return address.port;
}
