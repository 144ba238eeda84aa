import { randomUUID } from 'node:crypto';
import { Hello } from '../../src/agent/hello.ts';
import { Inbox } from '../../src/agent/inbox.ts';
import { Journal } from '../../src/agent/journal.ts';
import { Outbox } from '../../src/agent/outbox.ts';
import type { Room } from '../../src/agent/room.ts';
import { Runner } from '../../src/agent/runner.ts';
import { ping } from '../../src/agent/tasks/ping.ts';
import type { TaskType } from '../../src/agent/tasks/task.ts';
import { Broker } from '../../src/lib/broker.ts';
import { homeAt } from '../../src/lib/home.ts';
import { createLogger } from '../../src/lib/logs.ts';
import { caller } from '../../src/lib/sender.ts';
import { keyId, publicFromHex } from '../../src/lib/trust/keys.ts';
import { fleetUrl } from './names.ts';

const VERSION = '1.0.0';
const logger = createLogger({ file: 'stderr', level: 'silent' });

export type HostOptions = {
  id: string;
  amqpPort: number;
  /** The certificates of the CAs by which the broker is verified; then the port is that for TLS. */
  ca?: string | undefined;
  /** A path, or `:memory:`. */
  journal: string;
  heartbeatMs: number;
  /** The public half of the key by which the dispatcher signs. */
  orderKey: string;
  /** Called with a task's id each time that `noop` runs. */
  onRun: (task: string) => void;
  /** What else it can do. */
  types?: TaskType[];
  vhost?: string;
};

/** One simulated host: all that an agent is, less its loader, its log, and upgrades. */
export class SimulatedHost implements AsyncDisposable {
  #opened: AsyncDisposableStack;
  #broker: Broker;
  #inbox: Inbox;

  private constructor(opened: AsyncDisposableStack, broker: Broker, inbox: Inbox) {
    this.#opened = opened;
    this.#broker = broker;
    this.#inbox = inbox;
  }

  /** Returns at once; it connects by itself, and again after each loss. */
  static async start(options: HostOptions): Promise<SimulatedHost> {
    await using opened = new AsyncDisposableStack();
    const journal = opened.adopt(new Journal(options.journal, options.id, VERSION), (it) => it.close());
    const config = configOf(options);
    const name = `mega agent ${options.id} ${VERSION}`;
    const { broker: url, ca, reconnectMs } = config;
    const broker = opened.use(await Broker.start({ url, ca, name, reconnectMs }));
    let hello: Hello | undefined;
    const room: Room = {
      ...{ config, home: config.home, host: options.id, version: VERSION, boot: randomUUID() },
      ...{ broker, journal, logger, call: caller(broker), trust: trusting(options.orderKey) },
      clockOffsetMs: () => hello?.clockOffsetMs ?? 0,
      ship: () => undefined,
      restart: () => undefined,
      scriptsRunning: () => 0,
    };
    opened.use(new Outbox(journal, broker, options.id));
    const runner = new Runner(room, [ping, noop(options.onRun), ...(options.types ?? [])]);
    opened.defer(() => runner.stop(1_000));
    const listeners = { onProbe: () => undefined, onExpired: () => hello?.greet() };
    const inbox = opened.use(new Inbox(room, runner, listeners));
    hello = opened.use(new Hello(room, () => inbox.open));
    runner.resume();
    return new SimulatedHost(opened.move(), broker, inbox);
  }

  /** Connected, and reading its queue. */
  get there(): boolean {
    return this.#broker.connected && this.#inbox.open;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }
}

/** Believes one key; there is nothing to be upgraded to. */
function trusting(orderKey: string): Room['trust'] {
  const key = publicFromHex(orderKey);
  const id = keyId(key);
  return { keyOf: async (kid) => (kid === id ? key : undefined), targets: async () => [] };
}

/** Does nothing, and is written down like all that has an effect. */
const noop = (onRun: (task: string) => void): TaskType => ({
  name: 'noop',
  lane: 'exclusive',
  onCrash: 'interrupted',
  run: async ({ entry }) => {
    onRun(entry.order.task);
    return { state: 'succeeded' };
  },
});

/** The product's own defaults but for the address. */
function configOf({ id, amqpPort, ca, heartbeatMs, vhost }: HostOptions): Room['config'] {
  return {
    ...{
      host: id,
      home: homeAt(`/nonexistent/${id}`),
      broker: fleetUrl(ca ? 'amqps' : 'amqp', amqpPort, id, vhost),
    },
    ...{ heartbeatMs, reconnectMs: 5_000, arbitrationMs: 60_000 },
    ...{ allowPlain: false, ca, maxDownloadBytesPerSecond: 0 },
    ...{ logLevel: 'silent', shipLevel: 'fatal', spoolBytes: 1 << 16 },
    ...{ scripts: '../scripts', scriptLanes: 4, scriptWaitMs: 600_000, allowShellText: false },
  };
}
