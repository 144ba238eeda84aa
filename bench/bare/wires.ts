import { type ChannelModel, connect } from 'amqplib';

/** The bare peers' names: the shape of the product's topology, with none of its permissions. */
export const BARE = { task: 'bare.task', up: 'bare.up', results: 'bare.results' } as const;
export const bareQueue = (n: number) => `bare.host.${n}`;

const ORDER_BYTES = 400;
const EMPTY = { id: '00000000-0000-7000-8000-000000000000', host: 0, pad: '' };
const PAD = 'x'.repeat(ORDER_BYTES - JSON.stringify(EMPTY).length);

/** 400 bytes, as an order of the product has. */
export const bareBody = (id: string, host: number) => Buffer.from(JSON.stringify({ id, host, pad: PAD }));
export type BareTask = { id: string; host: number };

/** A heartbeat as the product's; the usual would be the broker's minute. */
export function open(url: string): Promise<ChannelModel> {
  const target = new URL(url);
  target.searchParams.set('heartbeat', '20');
  return connect(target.href, { noDelay: true });
}
