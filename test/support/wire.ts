import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'up' | 'down';
type Hold = { direction: Direction; after: number; held: () => void };

/**
 * A wire between a client and a server that counts what goes over it, and can be held at a chosen byte, or cut.
 * `up` is what the client sends, `down` what it gets.
 */
export class Wire implements AsyncDisposable {
  bytes = { up: 0, down: 0 };
  #server: Server;
  #target: { host: string; port: number };
  #open = new Set<Socket>();
  #hold: Hold | undefined;
  #isCut = false;

  private constructor(target: URL) {
    this.#target = { host: target.hostname, port: Number(target.port) };
    this.#server = createServer((client) => this.#join(client));
  }

  static async open(target: string): Promise<Wire> {
    const wire = new Wire(new URL(target));
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  /** The same URL, by way of this wire. */
  through(url: string): string {
    const changed = new URL(url);
    changed.hostname = '127.0.0.1';
    changed.port = String((this.#server.address() as AddressInfo).port);
    return changed.href;
  }

  /** Counts from 0 again, and resolves once `after` bytes went over it; the connection that sent them then stalls. */
  holdAfter(direction: Direction, after: number): Promise<void> {
    this.bytes = { up: 0, down: 0 };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#hold = { direction, after, held: resolve };
    return promise;
  }

  /** What is held goes on. */
  release(): void {
    for (const socket of this.#open) socket.resume();
  }

  /** Ends all connections, and those that come, until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#open) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    if (this.#isCut) return void client.destroy();
    const server = connect(this.#target);
    this.#pass(client, server, 'up');
    this.#pass(server, client, 'down');
  }

  #pass(from: Socket, to: Socket, direction: Direction): void {
    this.#open.add(from);
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      this.bytes[direction] += chunk.length;
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      const hold = this.#hold;
      if (hold?.direction !== direction || this.bytes[direction] < hold.after) return;
      this.#hold = undefined;
      to.removeAllListeners('drain');
      from.pause();
      hold.held();
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#open.delete(from);
      to.destroy();
    });
  }
}
