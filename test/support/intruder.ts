import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import type { World } from '../../dev/world/world.ts';
import type { Home } from '../../src/lib/home.ts';

type Failure = { code?: number; message: string };

/**
 * Whoever got hold of a login, with the bare client and no rule of ours in the way: whatever the broker lets them do,
 * they do.
 */
export class Intruder implements AsyncDisposable {
  readonly user: string;
  readonly model: ChannelModel;

  private constructor(user: string, model: ChannelModel) {
    this.user = user;
    this.model = model;
  }

  static async login(url: string): Promise<Intruder> {
    const model = await connect(url, { timeout: 10_000 });
    model.on('error', () => undefined);
    return new Intruder(decodeURIComponent(new URL(url).username), model);
  }

  /**
   * Tries something on a channel of its own: `done`, or the broker's code of refusal. What is published is confirmed
   * first, and so has reached whatever it reaches.
   */
  async tries(work: (channel: ConfirmChannel) => unknown): Promise<'done' | number> {
    const channel = await this.model.createConfirmChannel();
    const refused = Promise.withResolvers<never>();
    refused.promise.catch(() => undefined);
    const refuse = (error: Failure) => refused.reject(error);
    channel.on('error', refuse);
    this.connection.on('error', refuse);
    try {
      await Promise.race([refused.promise, work(channel)]);
      // A channel that the broker has closed says so here and why it did only in its event.
      await Promise.race([refused.promise, channel.waitForConfirms().catch(() => refused.promise)]);
      return 'done';
    } catch (error) {
      const { code } = error as Failure;
      if (code === undefined) throw error;
      return code;
    } finally {
      this.connection.off('error', refuse);
      await channel.close().catch(() => undefined);
    }
  }

  /** The client's own connection, which its types do not show. */
  get connection(): EventEmitter & { stream: Socket } {
    return this.model.connection as unknown as EventEmitter & { stream: Socket };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.model.close().catch(() => undefined);
  }
}

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;

/** What a thief of a host's disk has. */
export function loginOf(home: Home): string {
  const { host, secret } = json(home.identity);
  const url = new URL(json(home.config).broker!);
  url.username = host!;
  url.password = secret!;
  return url.href;
}

export const operatorLogin = (world: World) => json(world.operatorConfig).broker!;
