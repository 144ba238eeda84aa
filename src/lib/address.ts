import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { describe, UnavailableError } from './errors.ts';
import { bareHost } from './secure.ts';
import { withDeadline } from './utils.ts';

const LOOKUP_MS = 5_000;
/** A socket must be given one; nothing is sent to it. */
const ANY_PORT = 9;

/**
 * The address of this machine that packets to `url` leave from, IPv4 or IPv6 as that has one. The system's routes say
 * it; nothing is sent. Error: `no_route`.
 */
export async function addressTowards(url: string): Promise<string> {
  const host = bareHost(new URL(url).hostname);
  try {
    const { address } = await withDeadline(lookup(host), LOOKUP_MS);
    return await sourceFor(address);
  } catch (cause) {
    throw new UnavailableError('no_route', `no address of ours leads to ${host}: ${describe(cause)}`, {
      cause,
    });
  }
}

async function sourceFor(address: string): Promise<string> {
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
  try {
    socket.connect(ANY_PORT, address);
    await once(socket, 'connect');
    return socket.address().address;
  } finally {
    socket.close();
  }
}
