import { randomUUID } from 'node:crypto';
import { Broker } from '../lib/broker.ts';
import type { DispatcherConfig } from '../lib/config.ts';
import type { Logger } from '../lib/logs.ts';
import { Management } from '../lib/management.ts';
import { plainWarnings } from '../lib/secure.ts';
import { QUEUE } from '../lib/topology.ts';
import { keyFromBase64 } from '../lib/trust/keys.ts';
import { seeToAdmins } from './admins.ts';
import { startAlerts } from './alerts/start.ts';
import { Troubles } from './alerts/troubles.ts';
import { serveCalls } from './api/server.ts';
import { AuditBook } from './audit-book.ts';
import { catchUp } from './catchup.ts';
import { warnOfEnds } from './certificates.ts';
import { Collector } from './collect.ts';
import { Confirmed } from './confirmed.ts';
import type { Context } from './context.ts';
import { declareTopology } from './declare.ts';
import { Endings } from './endings.ts';
import { expireDue } from './expire.ts';
import { Floods } from './floods.ts';
import { Greetings } from './greetings.ts';
import { Driver } from './jobs/drive.ts';
import { LogKeeper, removeOldLogs } from './logs.ts';
import { Loop } from './loop.ts';
import { deleteStray, deleteUnread } from './packages/sweep.ts';
import { People } from './people.ts';
import { publishDue } from './publish.ts';
import { fireDue, forgetOld } from './schedules/fire.ts';
import { Sightings } from './sightings.ts';
import { makeSlots } from './store/downloads.ts';
import { openStore } from './store/open.ts';
import { MetadataFiles } from './trust/files.ts';
import { MetadataWatch, watchMs } from './trust/watch.ts';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 500;
/** How soon a driven job is looked at when there is something to look at; most rounds find nothing due. */
const DRIVE_MS = 50;
const EXPIRE_MS = 1_000;
const CATCH_UP_MS = 1_000;
const STREAMS_MS = 60_000;
const STRAY_MS = 3_600_000;
const FLOODS_MS = 1_000;
const SIGHTINGS_MS = 500;
const CONFIRMED_MS = 300;
const OLD_LOGS_MS = 60_000;
const SCHEDULES_MS = 1_000;
const FIRINGS_MS = 3_600_000;
const CERTIFICATES_MS = 12 * 3_600_000;

/**
 * Starts a dispatcher; any number may run side by side. Disposing of it stops in the order opposite to starting:
 * first nothing new is taken, then the round under way ends, then the connections close. A call under way may go
 * unanswered; its caller asks again, with the same key.
 */
export async function startDispatcher(config: DispatcherConfig, logger: Logger): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const context = await openContext(config, logger, opened);
  const { publisher, management, db, confirmed, sightings, floods, driver } = context;
  await declareTopology(publisher, management);
  await makeSlots(db, config.maxDownloads);
  await seeToAdmins(context);
  const watch = new MetadataWatch(context);
  await watch.step();

  const troubles = new Troubles(context);
  const loop = (name: string, pauseMs: number, step: () => Promise<void>) =>
    opened.use(new Loop(name, logger, pauseMs, troubles.watch(name, step)));
  opened.defer(() => confirmed.flush(0).catch(() => undefined));
  const publishing = loop('publish', POLL_MS, () => publishDue(context));
  driver.onReady = () => publishing.kick();
  loop('drive', DRIVE_MS, () => driver.step());
  const results = opened.use(new Collector(context, QUEUE.results));
  const events = opened.use(new Collector(context, QUEUE.events));
  loop('confirmed', CONFIRMED_MS, () => confirmed.flush());
  loop('sightings', SIGHTINGS_MS, () => sightings.flush());
  const steadyMs = () => Math.min(results.steadyMs, events.steadyMs, sightings.steadyMs);
  loop('expire', EXPIRE_MS, () => expireDue(context, steadyMs()));
  loop('catch up', CATCH_UP_MS, () => catchUp(context));
  const flooding = loop('floods', FLOODS_MS, () => floods.step());
  floods.onSuspicion = () => flooding.kick();
  opened.use(new LogKeeper(context));
  loop('old logs', OLD_LOGS_MS, () => removeOldLogs(context));
  loop('streams', Math.min(STREAMS_MS, config.streamKeepMs / 2), () => deleteUnread(context));
  loop('stray streams', STRAY_MS, () => deleteStray(context));
  loop('metadata', watchMs(config), () => watch.step());
  loop('certificates', CERTIFICATES_MS, () => warnOfEnds(context));
  opened.use(startAlerts(context, { loop, troubles, steadyMs }));
  const room = { ...context, kick: () => publishing.kick(), steadyMs };
  loop('schedules', SCHEDULES_MS, () => fireDue(room));
  loop('old firings', FIRINGS_MS, () => forgetOld(room));
  opened.use(serveCalls(room));
  logger.info({ dispatcher: context.id }, 'the dispatcher is ready');
  return opened.move();
}

/** Connects to database and broker; what is opened is closed with `opened`. */
async function openContext(
  config: DispatcherConfig,
  logger: Logger,
  opened: AsyncDisposableStack,
): Promise<Context> {
  const { broker: url, ca, allowPlain } = config;
  const mail = config.mail ? [config.mail.url] : [];
  for (const line of plainWarnings([url, config.management, config.database, ...mail])) logger.warn(line);
  const db = opened.use(await openStore(config.database, ca));
  const connect = async (name: string) => {
    const broker = opened.use(await Broker.start({ url, ca, allowPlain, name, reconnectMs: 2_000 }));
    broker.on('trouble', (text: string) => logger.warn({ connection: name }, text));
    await broker.ready(START_TIMEOUT_MS);
    return broker;
  };
  const publisher = await connect('mega dispatcher: publishing');
  const consumer = await connect('mega dispatcher: reading');
  const vhost = decodeURIComponent(new URL(url).pathname.slice(1));
  const management = new Management(config.management, vhost, config);
  return {
    ...{ id: randomUUID(), config, db, logger, publisher, consumer, management },
    orderKey: keyFromBase64(config.keys.orders),
    metadata: new MetadataFiles(db),
    endings: new Endings(),
    driver: new Driver(db, logger, config.taskDeadlineMs),
    confirmed: new Confirmed(db),
    sightings: new Sightings(db),
    greetings: new Greetings(db, config.offlineAfterMs),
    people: new People(db),
    auditBook: new AuditBook(db),
    floods: new Floods(config, db, management, logger),
  };
}
