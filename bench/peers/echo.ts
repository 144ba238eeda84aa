/*
 * Whoever answers at once: what a call costs at the least. Bare amqplib; nothing is looked up or checked.
 *
 *   PEER_BROKER=URL echo.ts QUEUE     says `ready`, until its stdin ends
 */
import { connect } from 'amqplib';

const [, , queue = ''] = process.argv;
const connection = await connect(process.env.PEER_BROKER ?? '', { noDelay: true });
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: true });
await channel.consume(queue, (message) => {
  const { replyTo, correlationId } = message!.properties as { replyTo: string; correlationId: string };
  channel.sendToQueue(replyTo, message!.content, { correlationId });
  channel.ack(message!);
});
process.stdout.write('ready\n');
process.stdin.on('end', () => process.exit(0)).resume();
