import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * - `whole`: what comes goes on.
 * - `cut`: all connections are reset, and so are new ones.
 * - `frozen`: connections stay, and nothing moves; later it goes on where it stood.
 * - `lost`: connections stay, and what is sent vanishes, as behind a firewall that has forgotten them. New ones are
 *   accepted and answered by nobody. Afterwards all of these are reset, since bytes are missing in them.
 * - `slow`: so many bytes a second, in each direction.
 */
export type LinkState = { is: 'whole' | 'cut' | 'frozen' | 'lost' } | { is: 'slow'; bytesPerSecond: number };

const SLICE_MS = 100;

/** One host's way to the broker: a TCP proxy that can be broken in several ways. */
export class Link implements AsyncDisposable {
  /** What was sent and vanished. */
  lostBytes = 0;
  #server: Server;
  #target: number;
  #state: LinkState = { is: 'whole' };
  #sockets = new Set<Socket>();
  /** Of connections in which bytes are missing. */
  #torn = new Set<Socket>();
  #changed = Promise.withResolvers<void>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (socket) => void this.#carry(socket));
  }

  /** Listens on a port of `address`, and leads to the port `target` of loopback. */
  static async open(target: number, address = '127.0.0.1'): Promise<Link> {
    const server = createServer({ noDelay: true });
    const link = new Link(server, target);
    server.listen(0, address);
    await once(server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get state(): LinkState['is'] {
    return this.#state.is;
  }

  become(state: LinkState): void {
    this.#state = state;
    const doomed = state.is === 'cut' ? this.#sockets : state.is === 'lost' ? [] : this.#torn;
    for (const socket of [...doomed]) socket.resetAndDestroy();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.become({ is: 'cut' });
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await closed;
  }

  async #carry(client: Socket): Promise<void> {
    if (this.#state.is === 'cut') {
      client.resetAndDestroy();
      return;
    }
    this.#hold(client, client);
    while (this.#stands()) {
      if (this.#state.is === 'lost') this.#torn.add(client);
      await this.#changed.promise;
    }
    if (client.destroyed) return;
    const broker = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    this.#hold(broker, client);
    client.once('close', () => broker.destroy());
    broker.once('close', () => client.destroy());
    void this.#pump(client, broker);
    void this.#pump(broker, client);
  }

  #stands(): boolean {
    return this.#state.is === 'frozen' || this.#state.is === 'lost';
  }

  #hold(socket: Socket, client: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy()); // an end like any other
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#torn.delete(client);
    });
  }

  async #pump(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const bytes of from) await this.#pass(bytes as Buffer, from, to);
      to.end();
    } catch {
      to.destroy();
    }
  }

  async #pass(bytes: Buffer, from: Socket, to: Socket): Promise<void> {
    let rest = bytes;
    while (rest.length > 0 && !to.destroyed) {
      while (this.#state.is === 'frozen') await this.#changed.promise;
      if (this.#state.is === 'lost') {
        for (const socket of [from, to]) this.#torn.add(socket);
        this.lostBytes += rest.length;
        return;
      }
      const slow = this.#state.is === 'slow' ? this.#state : undefined;
      const most = slow ? Math.max(1, Math.floor((slow.bytesPerSecond * SLICE_MS) / 1000)) : rest.length;
      const room = to.write(rest.subarray(0, most));
      rest = rest.subarray(most);
      if (slow) await Promise.race([sleep(SLICE_MS), this.#changed.promise]);
      else if (!room) await Promise.race([once(to, 'drain'), once(to, 'close')]);
    }
  }
}
