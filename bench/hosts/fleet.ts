import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownCpuMs } from '../measure.ts';
import { Child } from './child.ts';
import type { StartHosts } from './main.ts';

const CONNECTING = 100;
/**
 * In the kernel's memory. In a real fleet each journal is on its host's own disk; a thousand of them on the one disk
 * that the broker and the database write to would measure nothing but that disk.
 */
const FREE_DISK = '/dev/shm';

export type FleetOptions = {
  ids: string[];
  amqpPort: number;
  /** The public half of the key by which the dispatcher signs. */
  orderKey: string;
  /** See host.ts. */
  ca?: string | undefined;
  children: number;
  /** `files`: a journal each on a disk that costs nothing; otherwise they are within the process. */
  journals?: 'files';
  /** The product's default is 20 s. */
  heartbeatMs?: number;
};

/** Many simulated hosts, spread over a few processes. */
export class Fleet implements AsyncDisposable {
  /** When its processes began to connect, by `performance.now()`. */
  began = 0;
  /** How long it then took until all of them read their queues. */
  connectMs = 0;
  #children: Child[];

  private constructor(children: Child[]) {
    this.#children = children;
  }

  /** Resolves when all of them read their queues. */
  static async start(options: FleetOptions) {
    const { ids, amqpPort, ca, orderKey, children, journals, heartbeatMs = 20_000 } = options;
    const folder = journals && mkdtempSync(join(existsSync(FREE_DISK) ? FREE_DISK : tmpdir(), 'mega-bench-'));
    const fleet = new Fleet(Array.from({ length: children }, () => new Child(file)));
    await fleet.there(); // the processes are up
    fleet.began = performance.now();
    const common = { amqpPort, ca, orderKey, heartbeatMs, atOnce: Math.ceil(CONNECTING / children) };
    const starting = fleet.#children.map((child, at) => {
      const own = ids.filter((_, i) => i % children === at);
      const wanted = { ...common, ids: own, ...(folder === undefined ? {} : { journals: folder }) };
      return child.ask('start', wanted satisfies StartHosts);
    });
    try {
      await Promise.all(starting);
      fleet.connectMs = performance.now() - fleet.began;
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    } finally {
      // The hosts hold their files open: with the names gone, nothing is left behind however we end.
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    }
  }

  /** How many are connected and read their queues. */
  async there(): Promise<number> {
    const counts = await Promise.all(this.#children.map((child) => child.ask<number>('there')));
    return counts.reduce((sum, one) => sum + one, 0);
  }

  /** How many tasks the hosts have run `noop` for, and how often in all. */
  async ran(): Promise<{ tasks: number; runs: number }> {
    const all = await Promise.all(
      this.#children.map((child) => child.ask<{ tasks: number; runs: number }>('ran')),
    );
    return all.reduce((sum, one) => ({ tasks: sum.tasks + one.tasks, runs: sum.runs + one.runs }));
  }

  /** CPU of all its processes since their start, in ms. */
  cpuMs(): number {
    return this.#children.reduce((sum, child) => sum + ownCpuMs(child.pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child[Symbol.asyncDispose]()));
  }
}

const file = join(import.meta.dirname, 'main.ts');
