import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createSecureServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Pair } from '../../src/cli/certs/authority.ts';

/** Stands between a client and a server's plain port; `heard` is what clients have said to it, in bytes. */
export type Between = AsyncDisposable & { port: number; heard(): number };

/** Speaks TLS to clients, with this certificate. */
export function behindTls(target: number, pair: Pair, options: TlsOptions = {}): Promise<Between> {
  const server = createSecureServer({ cert: pair.certificate, key: pair.key, ...options });
  server.on('tlsClientError', () => undefined);
  return between(server, 'secureConnection', target);
}

/** Passes on what it is told, from an address that is not loopback. */
export function atAddress(address: string, target: number): Promise<Between> {
  return between(createServer(), 'connection', target, address);
}

async function between(
  server: ReturnType<typeof createServer>,
  event: string,
  target: number,
  address = '127.0.0.1',
): Promise<Between> {
  let heard = 0;
  const open = new Set<Socket>();
  server.on(event, (client: Socket | TLSSocket) => {
    const inner = connect(target, '127.0.0.1');
    for (const socket of [client, inner]) {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => open.delete(socket));
    }
    client.on('data', (bytes) => {
      heard += bytes.length;
    });
    client.pipe(inner).pipe(client);
    client.on('close', () => inner.destroy());
    inner.on('close', () => client.destroy());
  });
  server.listen(0, address);
  await once(server, 'listening');
  const close = async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  const { port } = server.address() as AddressInfo;
  return { port, heard: () => heard, [Symbol.asyncDispose]: close };
}

/** A MariaDB's arguments, for a certificate of one's own. */
export function argumentsFor(folder: string, pair: Pair): string[] {
  const [certificate, key] = [join(folder, 'own.crt'), join(folder, 'own.key')];
  writeFileSync(certificate, pair.certificate);
  writeFileSync(key, pair.key, { mode: 0o600 });
  return [`--ssl-cert=${certificate}`, `--ssl-key=${key}`];
}
