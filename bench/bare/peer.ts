import { join } from 'node:path';
import { Child } from '../hosts/child.ts';
import { ownCpuMs } from '../measure.ts';
import type { Servers } from '../suite.ts';
import type { BareLoop, BareRate, OpenBare } from './dispatcher.ts';
import type { StartBareHosts } from './hosts.ts';

const CONNECTING = 100;

/** The administrator's, in the vhost that every broker has. */
export function bareUrl({ rabbitmq }: Servers): string {
  const { username, password } = new URL(rabbitmq.managementUrl);
  return `amqp://${username}:${password}@127.0.0.1:${rabbitmq.amqpPort}`;
}

/** A bare dispatcher and bare hosts: what the product is measured against on the same servers. */
export class BarePeer implements AsyncDisposable {
  #opened = new AsyncDisposableStack();
  #dispatcher: Child;
  #hosts: Child[];
  #servers: Servers;

  private constructor(servers: Servers, children: number) {
    this.#servers = servers;
    this.#dispatcher = this.#opened.use(new Child(join(import.meta.dirname, 'dispatcher.ts')));
    this.#hosts = Array.from({ length: children }, () =>
      this.#opened.use(new Child(join(import.meta.dirname, 'hosts.ts'))),
    );
  }

  /** `connectMs`: how long it took all hosts to read their queues. */
  static async open(servers: Servers, hosts: number, children: number) {
    const peer = new BarePeer(servers, children);
    try {
      const databaseUrl = `${servers.mariadb.url}/bare`;
      await peer.#dispatcher.ask('open', { url: bareUrl(servers), databaseUrl, hosts } satisfies OpenBare);
      const began = performance.now();
      await peer.#connect(hosts);
      return { peer, connectMs: performance.now() - began };
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** ms from the first row inserted to the last result committed. */
  loop(about: BareLoop): Promise<number> {
    return this.#dispatcher.ask<number>('loop', about);
  }

  /** ms of each task, from before its row is inserted to after its result is committed. */
  atRate(about: BareRate): Promise<number[]> {
    return this.#dispatcher.ask<number[]>('atRate', about);
  }

  /** CPU of the bare hosts since their start, in ms. */
  hostsMs(): number {
    return this.#hosts.reduce((sum, child) => sum + ownCpuMs(child.pid), 0);
  }

  /** CPU of the bare dispatcher since its start, in ms. */
  dispatcherMs(): number {
    return ownCpuMs(this.#dispatcher.pid);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }

  async #connect(hosts: number): Promise<void> {
    const atOnce = Math.ceil(CONNECTING / this.#hosts.length);
    const all = Array.from({ length: hosts }, (_, n) => n);
    const url = bareUrl(this.#servers);
    await Promise.all(
      this.#hosts.map((child, at) => {
        const numbers = all.filter((n) => n % this.#hosts.length === at);
        return child.ask('start', { url, numbers, atOnce } satisfies StartBareHosts);
      }),
    );
  }
}
