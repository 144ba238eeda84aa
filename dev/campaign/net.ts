import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startTicks } from '../servers/ticks.ts';

/*
 * INVARIANTS
 * - A namespace is named mega-OWNERPID-OWNERSTART-NUMBER, so that one whose owner was killed is known as such and
 *   removed by the next campaign. Its pair of interfaces vanishes with it.
 * - Its addresses are of 198.18.0.0/15, set aside for tests of networks and routed nowhere.
 */
const namePattern = /^mega-(\d+)-(\d+)-\d+$/;
const BLOCKS = 2 ** 15;

async function ip(...args: string[]): Promise<string> {
  return (await promisify(execFile)('ip', args, { timeout: 20_000 })).stdout;
}

/** A network of its own for some hosts, which reaches this machine over one cable that can be pulled. */
export class Network implements AsyncDisposable {
  readonly #name: string;
  readonly #cable: string;
  /** Of this machine, as the hosts in there see it. */
  readonly address: string;

  private constructor(name: string, cable: string, address: string) {
    this.#name = name;
    this.#cable = cable;
    this.address = address;
  }

  static async open(number: number): Promise<Network> {
    const block = ((process.pid * 4 + number) % BLOCKS) * 4;
    const at = (host: number) => `198.${18 + (block >> 16)}.${(block >> 8) & 255}.${(block & 255) + host}`;
    const name = `mega-${process.pid}-${startTicks(process.pid)}-${number}`;
    const cable = `mg${number}x${process.pid}`;
    const network = new Network(name, cable, at(1));
    try {
      await ip('netns', 'add', name);
      await ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      await ip('address', 'add', `${at(1)}/30`, 'dev', cable);
      await ip('link', 'set', cable, 'up');
      await ip('-n', name, 'address', 'add', `${at(2)}/30`, 'dev', 'eth0');
      await ip('-n', name, 'link', 'set', 'lo', 'up');
      await ip('-n', name, 'link', 'set', 'eth0', 'up');
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Put before a command: what it starts lives in there. */
  get enter(): string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  async pullCable(): Promise<void> {
    await ip('link', 'set', this.#cable, 'down');
  }

  async plugIn(): Promise<void> {
    await ip('link', 'set', this.#cable, 'up');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ip('link', 'delete', this.#cable).catch(() => undefined); // at once: with its namespace it goes later
    await ip('netns', 'delete', this.#name).catch(() => undefined);
  }
}

/** Why there can be no networks here; undefined when there can. */
export async function whyNoNetworks(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'networks of their own for some hosts need root';
  try {
    await using network = await Network.open(9);
    await network.pullCable();
    await network.plugIn();
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return `networks of their own for some hosts need iproute2 and its rights: ${(stderr || message).trim()}`;
  }
}

/** Removes those whose owner was killed. */
export async function sweepNetworks(): Promise<void> {
  const list = await ip('netns', 'list').catch(() => '');
  for (const line of list.split('\n')) {
    const [name = ''] = line.split(' ');
    const [, pid, ticks] = namePattern.exec(name) ?? [];
    if (pid === undefined || startTicks(Number(pid)) === ticks) continue;
    await ip('netns', 'delete', name).catch(() => undefined);
  }
}
