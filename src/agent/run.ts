import { randomUUID } from 'node:crypto';
import { Broker } from '../lib/broker.ts';
import type { AgentConfig } from '../lib/config.ts';
import { describe, MegaError } from '../lib/errors.ts';
import { makePrivate } from '../lib/files.ts';
import type { Logger } from '../lib/logs.ts';
import { plainWarnings } from '../lib/secure.ts';
import { caller } from '../lib/sender.ts';
import { beat } from './alive.ts';
import { sayGoodbye } from './goodbye.ts';
import { Hello } from './hello.ts';
import { Inbox } from './inbox.ts';
import { Journal } from './journal.ts';
import { Outbox } from './outbox.ts';
import type { Room } from './room.ts';
import { Runner } from './runner.ts';
import { Secret } from './secret.ts';
import type { Shipper } from './shipper.ts';
import { ourTasks } from './tasks/list.ts';
import { ownTasks } from './tasks/own.ts';
import type { TaskType } from './tasks/task.ts';
import { Trust } from './trust.ts';
import { Probes } from './upgrade/watch.ts';

const STOP_MS = 5_000;
const CLOSE_MS = 8_000;
const DAY_MS = 86_400_000;
const DRAIN_MS = 2_000;

/** What this process is, and where its files are. */
export type Release = { version: string; folder: string };

/** Why the agent ends: asked to (`stopped`), to start what `current` names now (`restart`), or without a loader. */
export type Ending = 'stopped' | 'restart' | 'orphaned';

export type Agent = {
  /** Resolves when the agent has stopped in order. */
  ended: Promise<Ending>;
  stop(why: Ending): void;
};

/**
 * Starts this host's agent: journal (the home's lock) → sign of life → broker → outbox → runner → inbox → hello.
 * It never ends because a broker or dispatcher is away. Errors: `home_in_use`, `journal`.
 */
export async function startAgent(
  config: AgentConfig,
  { version, folder }: Release,
  logger: Logger,
  shipper: Shipper,
): Promise<Agent> {
  const asked = Promise.withResolvers<Ending>();
  let ending: Ending | undefined;
  const stop = (why: Ending) => {
    ending ??= why;
    asked.resolve(why);
  };
  await using opened = new AsyncDisposableStack();
  makePrivate(config.home.journal); // SQLite would ask the umask; its -wal file takes after this one
  const journal = opened.adopt(new Journal(config.home.journal, config.host, version), (it) => it.close());
  opened.use(beat(config.home.alive, () => stop('orphaned')));
  const secret = new Secret(config.home, config.host);
  const broker = opened.use(await openBroker(config, version, secret, logger));
  opened.use(shipper);
  const call = caller(broker);
  const trust = new Trust(config.home, call, logger);
  let hello: Hello | undefined;
  let scriptsRunning = () => 0;
  const room: Room = {
    ...{ config, home: config.home, host: config.host, version, boot: randomUUID(), broker, journal, logger },
    ...{ call, trust },
    ship: (line) => shipper.take(line),
    clockOffsetMs: () => hello?.clockOffsetMs ?? 0,
    restart: () => stop('restart'),
    scriptsRunning: () => scriptsRunning(),
  };
  shipper.connect(broker, room.clockOffsetMs);
  const forgetting = setInterval(() => forget(journal, logger), DAY_MS);
  opened.defer(() => clearInterval(forgetting));
  forget(journal, logger);
  const outbox = opened.use(new Outbox(journal, broker, config.host));
  const probes = new Probes(room);
  const runner = new Runner(room, [...ourTasks(probes, secret), ...(await ownTasksOf(folder, logger))]);
  scriptsRunning = () => runner.running('script');
  opened.defer(() => outbox.drain(DRAIN_MS));
  opened.defer(() => runner.stop(STOP_MS));
  const inbox = opened.use(
    new Inbox(room, runner, { onProbe: (order) => probes.deliver(order), onExpired: () => hello?.greet() }),
  );
  // After the last hello and beat, and only in the name of a host whose queue we read.
  opened.defer(async () => {
    if (ending !== undefined && ending !== 'restart' && inbox.open) await sayGoodbye(room);
  });
  hello = opened.use(new Hello(room, () => inbox.open));
  logger.info({ boot: room.boot }, 'the agent runs');
  runner.resume();
  const all = opened.move();
  // On a frozen broker closing may take minutes; a trial's clock would run meanwhile.
  const close = () => Promise.race([all.disposeAsync(), new Promise((done) => setTimeout(done, CLOSE_MS))]);
  return { stop, ended: asked.promise.then((why) => close().then(() => why)) };
}

async function openBroker(config: AgentConfig, version: string, secret: Secret, logger: Logger) {
  const { broker: url, ca, allowPlain, reconnectMs } = config;
  for (const line of plainWarnings([url])) logger.warn(line);
  const name = `mega agent ${config.host} ${version}`;
  const password = () => secret.current;
  const broker = await Broker.start({ url, ca, allowPlain, name, reconnectMs, password });
  broker.on('refused', () => secret.tryOther());
  let told = '';
  broker.on('trouble', (text: string) => {
    if (text !== told) logger.warn(text);
    told = text;
  });
  broker.on('connected', () => {
    told = '';
    secret.accepted();
    logger.info('connected to the broker');
  });
  return broker;
}

/** The self-test has tried them; whatever has become of them since must not keep an agent from starting. */
async function ownTasksOf(folder: string, logger: Logger): Promise<TaskType[]> {
  try {
    return await ownTasks(folder);
  } catch (error) {
    logger.error({ error: describe(error) }, "the package's own tasks cannot be had");
    return [];
  }
}

/** A full disk must not keep an agent from starting. */
function forget(journal: Journal, logger: Logger): void {
  try {
    journal.forgetOld();
  } catch (error) {
    logger.warn({ error: describe(error) }, 'old tasks could not be forgotten');
  }
}

/** What a new release must show before anything is switched to it: that it loads, and reads this host's setup. */
export async function selfTest(config: AgentConfig, { version, folder }: Release): Promise<void> {
  await ownTasks(folder);
  const journal = new Journal(':memory:', config.host, version);
  const open = journal.open().length;
  journal.close();
  if (open !== 0) throw new MegaError('self_test', 'a new journal is not empty');
}
