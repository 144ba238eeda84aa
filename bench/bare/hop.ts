/* A child process: one end of the raw hop. */
import type { ConfirmChannel } from 'amqplib';
import { serve } from '../hosts/child.ts';
import { bareBody, open } from './wires.ts';

export type Hop = { url: string; queue: string; messages: number };

const WINDOW = 500;
const PREFETCH = 500;
const ACK_EVERY = 50;
const BODY = bareBody('00000000-0000-7000-8000-000000000000', 0);

serve({
  /** Resolves when the last message is confirmed. */
  produce: async ({ url, queue, messages }: Hop) => {
    const connection = await open(url);
    const channel = await connection.createConfirmChannel();
    let left = messages;
    const hand = async () => {
      while (left-- > 0) await publish(channel, queue);
    };
    await Promise.all(Array.from({ length: WINDOW }, hand));
    await connection.close();
  },
  /** ms since 1970 at which the first and the last message were here. */
  consume: async ({ url, queue, messages }: Hop) => {
    const connection = await open(url);
    const channel = await connection.createChannel();
    await channel.prefetch(PREFETCH);
    const { promise, resolve } = Promise.withResolvers<{ first: number; last: number }>();
    let [first, got] = [0, 0];
    await channel.consume(queue, (message) => {
      if (got++ === 0) first = Date.now();
      if (got % ACK_EVERY === 0 || got === messages) channel.ack(message!, true);
      if (got === messages) resolve({ first, last: Date.now() });
    });
    const times = await promise;
    await connection.close();
    return times;
  },
});

function publish(channel: ConfirmChannel, queue: string): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.sendToQueue(queue, BODY, { persistent: true }, (error) => (error ? reject(error) : resolve()));
  });
}
