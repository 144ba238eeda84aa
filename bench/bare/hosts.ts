/*
 * A child process: many hosts in bare amqplib, a connection each. Order → result, confirmed → acknowledged.
 */
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { serve } from '../hosts/child.ts';
import { BARE, bareQueue, open } from './wires.ts';

export type StartBareHosts = { url: string; numbers: number[]; atOnce: number };

const PREFETCH = 50;
const connections: ChannelModel[] = [];

serve({
  start: async ({ url, numbers, atOnce }: StartBareHosts) => {
    const waiting = numbers.values();
    const startNext = async () => {
      for (const n of waiting) await start(url, n);
    };
    await Promise.all(Array.from({ length: atOnce }, startNext));
  },
});

async function start(url: string, n: number): Promise<void> {
  const connection = await open(url);
  connections.push(connection);
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(PREFETCH);
  await channel.consume(bareQueue(n), (order) => order && answer(channel, n, order), { exclusive: true });
}

function answer(channel: ConfirmChannel, n: number, order: ConsumeMessage): void {
  channel.publish(BARE.up, `result.${n}`, order.content, { persistent: true }, (error) => {
    if (!error) channel.ack(order);
  });
}
