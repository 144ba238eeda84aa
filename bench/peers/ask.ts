/*
 * What asking N hosts costs at the least: a program that starts, sends a message into each of N queues, reads the N
 * answers, and ends. Bare amqplib; nothing is checked, journaled or kept.
 *
 *   PEER_BROKER=URL ask.ts answer N     declares the queues and answers; says `ready`, until its stdin ends
 *   PEER_BROKER=URL ask.ts ask N
 */
import { type Channel, connect } from 'amqplib';

const [, , role = '', count = ''] = process.argv;
const url = process.env.PEER_BROKER ?? '';
const hosts = Array.from({ length: Number(count) }, (_, i) => `floor.${i}`);
const BODY = Buffer.from(JSON.stringify({ v: 1, type: 'ping', pad: 'x'.repeat(300) }));

if (role === 'answer') await answer();
else await ask();

async function answer(): Promise<void> {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  for (const queue of hosts) {
    await channel.assertQueue(queue, { durable: true });
    await channel.consume(queue, (message) => {
      channel.sendToQueue(message!.properties.replyTo as string, BODY);
      channel.ack(message!);
    });
  }
  process.stdout.write('ready\n');
  process.stdin.on('end', () => process.exit(0)).resume();
}

async function ask(): Promise<void> {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const all = Promise.withResolvers<void>();
  const answers = await readAnswers(channel, all.resolve);
  for (const queue of hosts) channel.sendToQueue(queue, BODY, { persistent: true, replyTo: answers });
  await all.promise;
  await connection.close();
}

async function readAnswers(channel: Channel, done: () => void): Promise<string> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  let got = 0;
  await channel.consume(queue, () => void (++got === hosts.length && done()), { noAck: true });
  return queue;
}
