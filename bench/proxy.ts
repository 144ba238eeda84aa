import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** A way to the broker on which bytes are counted: `down` from the broker, `up` to it. */
export type CountingProxy = AsyncDisposable & { port: number; down: number; up: number };

export async function openProxy(toPort: number): Promise<CountingProxy> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer({ noDelay: true }, (client) => {
    const broker = connect({ port: toPort, host: '127.0.0.1', noDelay: true });
    for (const [from, to, way] of [
      [client, broker, 'up'],
      [broker, client, 'down'],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        proxy[way] += bytes.length;
      });
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from) && to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: CountingProxy = {
    port: (server.address() as AddressInfo).port,
    down: 0,
    up: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
