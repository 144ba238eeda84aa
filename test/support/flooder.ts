/*
 * A host gone bad, as a process of its own: publishes as fast as the broker takes it, and connects again whenever it
 * is thrown out. Standard input holds what it is to do, as JSON; it tells now and then how much it has published.
 */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Broker } from '../../src/lib/broker.ts';
import { EXCHANGE, REPLY_QUEUE } from '../../src/lib/topology.ts';
import { uuidv7 } from '../../src/lib/utils.ts';

export type Flood = {
  url: string;
  key: string;
  body: string;
  /** Blanks after the body. */
  padding?: number;
  /** Whether its messages name their sender, which the broker then checks. */
  named: boolean;
};

const { url, key, body, padding = 0, named } = JSON.parse(await text(process.stdin)) as Flood;
const broker = await Broker.start({ url, name: 'flooder', reconnectMs: 100 });
const content = Buffer.from(body + ' '.repeat(padding));
let published = 0;
setInterval(() => process.stdout.write(`${published}\n`), 200);

for (;;) {
  await broker.ready();
  await flood().catch(() => undefined);
}

async function flood(): Promise<void> {
  const channel = await broker.openChannel();
  const ended = once(channel, 'close');
  channel.on('error', () => undefined);
  await channel.consume(REPLY_QUEUE, () => undefined, { noAck: true });
  while (broker.connected) {
    const properties = {
      messageId: uuidv7(),
      replyTo: REPLY_QUEUE,
      ...(named ? { userId: broker.user } : {}),
    };
    published++;
    if (channel.publish(EXCHANGE.up, key, content, properties)) continue;
    await Promise.race([once(channel, 'drain'), ended]);
  }
}
