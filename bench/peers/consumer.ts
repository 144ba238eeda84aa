/*
 * The least that a host can run: a program that waits in its queue and answers what comes. Bare amqplib, bundled as
 * the agent is.
 *
 *   PEER_BROKER=URL consumer QUEUE     (the URL says how often to send a heartbeat)
 */
import { connect } from 'amqplib';

const [, , queue = ''] = process.argv;
const connection = await connect(process.env.PEER_BROKER ?? '', { noDelay: true });
const channel = await connection.createChannel();
await channel.consume(queue, (message) => {
  channel.sendToQueue(message!.properties.replyTo as string, Buffer.from('{}'));
  channel.ack(message!);
});
