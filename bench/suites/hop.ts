import { join } from 'node:path';
import { connect } from 'amqplib';
import type { Hop } from '../bare/hop.ts';
import { bareUrl } from '../bare/peer.ts';
import { Child } from '../hosts/child.ts';
import { median, ownCpuMs, processIn } from '../measure.ts';
import type { Figure, Stage, Suite } from '../suite.ts';

const MESSAGES = 100_000;
const QUICK_MESSAGES = 30_000;
const ROUNDS = 3;
const QUEUE = 'bare.hop';
const program = join(import.meta.dirname, '../bare/hop.ts');

/** The ceiling of all others: nothing in this design moves more messages than the broker can. */
export const suite: Suite = {
  name: 'hop',
  help: 'messages a second through one queue: 400 bytes, durable, confirmed and acknowledged',
  run,
};

type Round = { perSecond: number; producerUs: number; brokerUs: number; consumerUs: number };

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true });
  const url = bareUrl(servers);
  const broker = processIn(stage.folder, 'beam.smp');
  const connection = await connect(url);
  await (await connection.createChannel()).assertQueue(QUEUE, { durable: true });
  await connection.close();
  await using producer = new Child(program);
  await using consumer = new Child(program);
  const hop: Hop = { url, queue: QUEUE, messages: stage.quick ? QUICK_MESSAGES : MESSAGES };
  const rounds: Round[] = [];
  for (let i = 0; i < (stage.quick ? 1 : ROUNDS); i++) {
    stage.signal.throwIfAborted();
    rounds.push(await round(hop, producer, consumer, broker));
    stage.log(`${Math.round(rounds.at(-1)!.perSecond)} messages/s`);
  }
  return figures(rounds);
}

async function round(hop: Hop, producer: Child, consumer: Child, broker: number): Promise<Round> {
  const look = () => [producer.pid, broker, consumer.pid].map(ownCpuMs);
  const before = look();
  const consuming = consumer.ask<{ first: number; last: number }>('consume', hop);
  const began = Date.now();
  await producer.ask('produce', hop);
  const { last } = await consuming;
  const after = look();
  const us = (at: number) => ((after[at]! - before[at]!) * 1000) / hop.messages;
  const perSecond = (hop.messages * 1000) / (last - began);
  return { perSecond, producerUs: us(0), brokerUs: us(1), consumerUs: us(2) };
}

function figures(rounds: Round[]): Figure[] {
  const of = (pick: (one: Round) => number) => median(rounds.map(pick));
  const rates = rounds.map((one) => Math.round(one.perSecond)).sort((a, b) => a - b);
  const note = `${rates.join(', ')}; bare amqplib in two processes, 500 confirms in flight, an ack every 50`;
  const unit = 'us of CPU a message';
  return [
    { name: 'raw hop', value: of((one) => one.perSecond), unit: 'messages/s', note },
    { name: 'raw hop: broker', value: of((one) => one.brokerUs), unit },
    { name: 'raw hop: producer', value: of((one) => one.producerUs), unit },
    { name: 'raw hop: consumer', value: of((one) => one.consumerUs), unit },
  ];
}
