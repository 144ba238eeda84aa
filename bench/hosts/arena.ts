import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startProcess } from '../../dev/servers/process.ts';
import { until } from '../../dev/world/until.ts';
import { loadClientConfig } from '../../src/lib/config.ts';
import { type Conn, conn } from '../../src/lib/conn.ts';
import { readCa } from '../../src/lib/secure.ts';
import { type Call, openSender } from '../../src/lib/sender.ts';
import { keyFromBase64, publicHex } from '../../src/lib/trust/keys.ts';
import { ownCpuMs, processIn } from '../measure.ts';
import type { Servers, Stage } from '../suite.ts';
import { Fleet, type FleetOptions } from './fleet.ts';
import { VHOST } from './names.ts';
import { register } from './register.ts';

const mega = join(import.meta.dirname, '../../bin/mega');
const CALL_MS = 60_000;
const ONLINE_MS = 300_000;

/** CPU of the three since their start, in ms. */
export type Burnt = { broker: number; dispatcher: number; database: number };

/**
 * A real dispatcher on private servers, for simulated hosts. Its servers end with the suite and all is gone: a vhost
 * with ten thousand queues is not taken down in order, which takes longer than most of what is measured.
 */
export class Arena implements AsyncDisposable {
  readonly db: Conn;
  readonly call: Call;
  readonly dispatcherPid: number;
  readonly brokerPid: number;
  readonly databasePid: number;
  readonly folder: string;
  #servers: Servers;
  #secure: Secure;
  #opened: AsyncDisposableStack;

  private constructor(about: Pick<Arena, 'db' | 'call' | 'dispatcherPid' | 'folder'> & Inside) {
    this.db = about.db;
    this.call = about.call;
    this.dispatcherPid = about.dispatcherPid;
    this.folder = about.folder;
    this.#servers = about.servers;
    this.#secure = about.secure;
    this.#opened = about.opened;
    this.brokerPid = processIn(about.stageFolder, 'beam.smp');
    this.databasePid = processIn(about.stageFolder, 'mariadbd');
  }

  /** `tls`: between dispatcher, broker, database and hosts. */
  static async open(stage: Stage, servers: Servers, { tls = false } = {}): Promise<Arena> {
    await using opened = new AsyncDisposableStack();
    const folder = join(stage.folder, `arena-${Date.now()}`);
    const databaseUrl = `${servers.mariadb.url}/mega`;
    const secure = tls ? servers.rabbitmq.tls : undefined;
    await setUp(folder, servers.rabbitmq, databaseUrl, secure);
    const dispatcherPid = await startDispatcher(folder, opened, stage.signal);
    const operator = loadClientConfig(join(folder, 'operator.json'));
    const { call } = opened.use(await openSender(operator, CALL_MS));
    const db = opened.use(conn(databaseUrl, { connections: 2 }));
    const inside = { servers, secure, opened: opened.move(), stageFolder: stage.folder };
    return new Arena({ db, call, dispatcherPid, folder, ...inside });
  }

  get amqpPort(): number {
    return this.#servers.rabbitmq.amqpPort;
  }

  register(ids: string[]): Promise<void> {
    return register(this.#servers.rabbitmq.managementUrl, this.db, ids);
  }

  /** Resolves when the dispatcher has heard them all. The caller disposes of them. */
  async startHosts(options: Omit<FleetOptions, 'amqpPort' | 'orderKey'>): Promise<Fleet> {
    const secure = this.#secure && { amqpPort: this.#secure.port, ca: readCa(this.#secure.ca) };
    const common = { amqpPort: this.amqpPort, orderKey: this.#orderKey(), ...secure };
    const fleet = await Fleet.start({ ...options, ...common });
    await this.untilOnline(options.ids.length);
    return fleet;
  }

  async untilOnline(count: number): Promise<void> {
    const online = async () => {
      const row = await this.db.one<{ n: number }>('SELECT COUNT(*) AS n FROM hosts WHERE online = 1');
      return Number(row?.n) >= count;
    };
    await until(`${count} hosts to be online`, online, { deadlineMs: ONLINE_MS });
  }

  #orderKey(): string {
    const text = readFileSync(join(this.folder, 'dispatcher.json'), 'utf8');
    const { keys } = JSON.parse(text) as { keys: { orders: string } };
    return publicHex(keyFromBase64(keys.orders));
  }

  burnt(): Burnt {
    return {
      broker: ownCpuMs(this.brokerPid),
      dispatcher: ownCpuMs(this.dispatcherPid),
      database: ownCpuMs(this.databasePid),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

type Secure = Servers['rabbitmq']['tls'];
type Inside = { servers: Servers; secure: Secure; opened: AsyncDisposableStack; stageFolder: string };

async function setUp(
  folder: string,
  rabbitmq: Servers['rabbitmq'],
  databaseUrl: string,
  tls: Secure,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const secret = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const management = [
    '--management-url-file',
    secret('management.url', tls?.managementUrl ?? rabbitmq.managementUrl),
  ];
  const database = ['--database-url-file', secret('database.url', `${databaseUrl}${tls ? '?tls=on' : ''}`)];
  await promisify(execFile)(mega, [
    'setup',
    '--anew',
    ...management,
    ...database,
    '--passphrase-file',
    secret('passphrase', randomBytes(16).toString('hex')),
    '--vhost',
    VHOST,
    '--out',
    folder,
    ...(tls ? ['--tls-port', String(tls.port), '--ca', tls.ca] : ['--port', String(rabbitmq.amqpPort)]),
  ]);
}

/** Its process id, once it takes calls. */
async function startDispatcher(folder: string, opened: AsyncDisposableStack, signal: AbortSignal) {
  const logFile = join(folder, 'dispatcher.log');
  const args = ['dispatcher', '--config', join(folder, 'dispatcher.json')];
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? folder };
  const dispatcher = await startProcess({ command: mega, args, env, cwd: folder, logFile });
  opened.defer(() => dispatcher.end('SIGTERM', 10_000));
  const isReady = () => {
    const log = readFileSync(logFile, 'utf8');
    if (dispatcher.hasEnded()) throw new Error(`the dispatcher ended: ${log.slice(-2000)}`);
    return log.includes('the dispatcher is ready');
  };
  await until('the dispatcher to be ready', isReady, { signal });
  return dispatcher.pid;
}

/** What each has burnt between two looks, in us of CPU for each of `count`. */
export function usEach(before: Burnt, after: Burnt, count: number): Burnt {
  const each = (of: keyof Burnt) => ((after[of] - before[of]) * 1000) / count;
  return { broker: each('broker'), dispatcher: each('dispatcher'), database: each('database') };
}
