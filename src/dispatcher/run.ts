import { randomUUID } from 'node:crypto';
import { Broker } from '../lib/broker.ts';
import type { DispatcherConfig } from '../lib/config.ts';
import type { Logger } from '../lib/logs.ts';
import { Management } from '../lib/management.ts';
import { plainWarnings } from '../lib/secure.ts';
import { QUEUE } from '../lib/topology.ts';
import { keyFromBase64 } from '../lib/trust/keys.ts';
import { seeToAdmins } from './admins.ts';
import { serveCalls } from './api/server.ts';
import { AuditBook } from './audit-book.ts';
import { warnOfEnds } from './certificates.ts';
import { Collector } from './collect.ts';
import { Confirmed } from './confirmed.ts';
import type { Context } from './context.ts';
import { declareTopology } from './declare.ts';
import { Endings } from './endings.ts';
import { expireDue } from './expire.ts';
import { Floods } from './floods.ts';
import { Greetings } from './greetings.ts';
import { watchLogs } from './logs.ts';
import { Loop } from './loop.ts';
import { deleteStray, deleteUnread } from './packages/sweep.ts';
import { People } from './people.ts';
import { publishDue } from './publish.ts';
import { Sightings } from './sightings.ts';
import { makeSlots } from './store/downloads.ts';
import { openStore } from './store/open.ts';
import { MetadataFiles } from './trust/files.ts';
import { MetadataWatch, watchMs } from './trust/watch.ts';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 500;
const EXPIRE_MS = 1_000;
const STREAMS_MS = 60_000;
const STRAY_MS = 3_600_000;
const FLOODS_MS = 1_000;
const SIGHTINGS_MS = 500;
const CONFIRMED_MS = 300;
const CERTIFICATES_MS = 12 * 3_600_000;

/**
 * Starts a dispatcher; any number may run side by side. Disposing of it stops in the order opposite to starting:
 * first nothing new is taken, then the round under way ends, then the connections close. A call under way may go
 * unanswered; its caller asks again, with the same key.
 */
export async function startDispatcher(config: DispatcherConfig, logger: Logger): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  for (const line of plainWarnings([config.broker, config.management, config.database])) logger.warn(line);
  const { ca, allowPlain } = config;
  const db = opened.use(await openStore(config.database, ca));
  const connect = async (name: string) => {
    const broker = opened.use(
      await Broker.start({ url: config.broker, ca, allowPlain, name, reconnectMs: 2_000 }),
    );
    broker.on('trouble', (text: string) => logger.warn({ connection: name }, text));
    await broker.ready(START_TIMEOUT_MS);
    return broker;
  };
  const publisher = await connect('mega dispatcher: publishing');
  const consumer = await connect('mega dispatcher: reading');
  const vhost = decodeURIComponent(new URL(config.broker).pathname.slice(1));
  const management = new Management(config.management, vhost, config);
  const sightings = new Sightings(db);
  const confirmed = new Confirmed(db);
  const brokers = { publisher, consumer, management };
  const greetings = new Greetings(db);
  const books = { endings: new Endings(), confirmed, sightings, greetings, metadata: new MetadataFiles(db) };
  const orderKey = keyFromBase64(config.keys.orders);
  const auditBook = new AuditBook(db);
  const watches = { people: new People(db), floods: new Floods(config, db, management, logger) };
  const roots = { id: randomUUID(), config, db, logger, orderKey };
  const context: Context = { ...roots, ...brokers, ...books, ...watches, auditBook };
  await declareTopology(publisher, management);
  await makeSlots(db, config.maxDownloads);
  await seeToAdmins(context);
  const watch = new MetadataWatch(context);
  await watch.step();

  opened.defer(() => confirmed.flush(0).catch(() => undefined));
  const publishing = opened.use(
    new Loop('publish', logger, POLL_MS, () => publishDue(context).then(() => false)),
  );
  const results = opened.use(new Collector(context, QUEUE.results));
  const events = opened.use(new Collector(context, QUEUE.events));
  opened.use(new Loop('confirmed', logger, CONFIRMED_MS, () => confirmed.flush().then(() => false)));
  opened.use(new Loop('sightings', logger, SIGHTINGS_MS, () => sightings.flush().then(() => false)));
  const steadyMs = () => Math.min(results.steadyMs, events.steadyMs, sightings.steadyMs);
  opened.use(new Loop('expire', logger, EXPIRE_MS, () => expireDue(context, steadyMs()).then(() => false)));
  const { floods } = context;
  const flooding = opened.use(new Loop('floods', logger, FLOODS_MS, () => floods.step().then(() => false)));
  floods.onSuspicion = () => flooding.kick();
  opened.use(watchLogs(context));
  const streamsMs = Math.min(STREAMS_MS, config.streamKeepMs / 2);
  opened.use(new Loop('streams', logger, streamsMs, () => deleteUnread(context).then(() => false)));
  opened.use(new Loop('stray streams', logger, STRAY_MS, () => deleteStray(context).then(() => false)));
  opened.use(new Loop('metadata', logger, watchMs(config), () => watch.step().then(() => false)));
  opened.use(new Loop('certificates', logger, CERTIFICATES_MS, () => warnOfEnds(context).then(() => false)));
  opened.use(serveCalls({ ...context, kick: () => publishing.kick(), steadyMs }));
  logger.info({ dispatcher: context.id }, 'the dispatcher is ready');
  return opened.move();
}
