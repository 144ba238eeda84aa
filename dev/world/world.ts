import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { addHostHere } from '../../src/cli/host/add.ts';
import { KeyFolder } from '../../src/cli/keys/folder.ts';
import { OfflineSigner } from '../../src/cli/keys/signer.ts';
import { buildPackage } from '../../src/cli/package/build.ts';
import type { PackageFile } from '../../src/cli/package/read.ts';
import { signPackage } from '../../src/cli/package/sign.ts';
import { loadClientConfig } from '../../src/lib/config.ts';
import { type Conn, conn } from '../../src/lib/conn.ts';
import { homeAt } from '../../src/lib/home.ts';
import { Management } from '../../src/lib/management.ts';
import { readCa } from '../../src/lib/secure.ts';
import { openSender, type Sender } from '../../src/lib/sender.ts';
import { folderVariable } from '../servers/folder.ts';
import { type ServerProcess, startProcess } from '../servers/process.ts';
import type { RabbitMq, Servers } from '../servers.ts';
import { AgentProcess } from './agent.ts';
import { compileCache } from './compiled.ts';
import { createWorldFolder, hostsFolder, managementFile, removeFromServers, sweepWorlds } from './folder.ts';
import { until } from './until.ts';

const root = resolve(import.meta.dirname, '../..');
const mega = join(root, 'bin/mega');

export type WorldOptions = {
  servers: Servers;
  /** Holds all of the world's files; removed at the end. */
  folder: string;
  /** What differs in the dispatchers' configuration, so that tests need not wait for minutes. */
  dispatcher?: object;
  agent?: object;
  /** All connections with TLS; for servers that have it. */
  tls?: boolean;
  /** Ends whatever the world waits for; then it is to be disposed of. */
  signal?: AbortSignal;
};

/**
 * A fleet of one's own on given servers: a vhost, a database, dispatchers and agents, each a real process started
 * as users start it. All of it is gone when the world is disposed of, or when this process dies.
 */
export class World implements AsyncDisposable {
  readonly folder: string;
  readonly name = `t${randomBytes(4).toString('hex')}`;
  readonly operatorConfig: string;
  readonly dispatcherConfig: string;
  /** Unlocks the offline keys, which are in the folder `keys`. */
  readonly passphraseFile: string;
  #options: WorldOptions;
  #opened = new AsyncDisposableStack();
  #management: Management;
  #sender: Sender | undefined;
  #database: Conn | undefined;
  #signer: OfflineSigner | undefined;
  #packages = new Map<string, string>();

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.folder = createWorldFolder(options.folder, this.name);
    this.operatorConfig = join(this.folder, 'operator.json');
    this.dispatcherConfig = join(this.folder, 'dispatcher.json');
    this.passphraseFile = join(this.folder, 'passphrase');
    const { managementUrl } = options.servers.rabbitmq;
    const security = this.#tls ? { ca: readCa(this.#tls.ca) } : {};
    this.#management = new Management(this.#tls?.managementUrl ?? managementUrl, this.name, security);
  }

  static async open(options: WorldOptions): Promise<World> {
    await sweepWorlds(options.folder, options.servers);
    const world = new World(options);
    try {
      await world.#setUp();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  get management(): Management {
    return this.#management;
  }

  get servers(): Servers {
    return this.#options.servers;
  }

  get databaseUrl(): string {
    return `${this.servers.mariadb.url}/mega_${this.name}`;
  }

  /** In the environment of all its processes, by which they can be found. */
  get mark(): Record<string, string> {
    return { [folderVariable]: this.folder };
  }

  /** The dispatchers' database; one pool, however often it is asked for: a test that looks again and again would use them all up. */
  database(): Conn {
    this.#database ??= this.#opened.use(conn(this.databaseUrl, { connections: 4 }));
    return this.#database;
  }

  /** Runs the command line as this world's operator; standard output. */
  async mega(...args: string[]): Promise<string> {
    const settings = { MEGA_CONFIG: this.operatorConfig, MEGA_PASSPHRASE_FILE: this.passphraseFile };
    const env = { ...process.env, ...settings, ...this.mark };
    const options = { env, maxBuffer: 64 << 20, signal: this.#options.signal };
    return (await promisify(execFile)(mega, args, options)).stdout;
  }

  async json<T = unknown>(...args: string[]): Promise<T> {
    return JSON.parse(await this.mega(...args, '--json')) as T;
  }

  /** Calls a function of the dispatcher. */
  async call<T = unknown>(fn: string, args: object = {}): Promise<T> {
    this.#sender ??= this.#opened.use(await openSender(loadClientConfig(this.operatorConfig), 30_000));
    return this.#sender.call<T>(fn, args, { timeoutMs: 30_000 });
  }

  /** Starts a dispatcher's process; whether and when it takes calls, its log says. */
  async spawnDispatcher(logFile: string): Promise<ServerProcess> {
    const dispatcher = await startProcess({
      command: mega,
      args: ['dispatcher', '--config', this.dispatcherConfig],
      env: { PATH: process.env.PATH ?? '', ...compileCache(), ...this.mark },
      cwd: this.folder,
      logFile,
    });
    this.#opened.defer(() => dispatcher.killAll());
    return dispatcher;
  }

  /** Starts a dispatcher; resolves when it takes calls. */
  async startDispatcher(): Promise<ServerProcess> {
    const logFile = join(this.folder, `dispatcher-${randomBytes(3).toString('hex')}.log`);
    const dispatcher = await this.spawnDispatcher(logFile);
    const isReady = () => {
      const log = readFileSync(logFile, 'utf8');
      if (dispatcher.hasEnded()) throw new Error(`the dispatcher ended: ${log.slice(-2000)}`);
      return log.includes('the dispatcher is ready');
    };
    await until(`the dispatcher to be ready (${logFile})`, isReady, { signal: this.#options.signal });
    return dispatcher;
  }

  /** Builds a package once; `prologue` is put at the top of the agent, to break it. */
  async build(version: string, prologue?: string): Promise<string> {
    const built = this.#packages.get(version);
    if (built) return built;
    const path = await buildPackage({
      version,
      out: join(this.folder, 'dist'),
      ...(prologue ? { prologue } : {}),
    });
    this.#packages.set(version, path);
    return path;
  }

  async publish(version: string, prologue?: string): Promise<string> {
    const path = await this.build(version, prologue);
    await this.mega('package', 'publish', path);
    return path;
  }

  /** Signs with the offline keys in this process, where they are unlocked once. */
  get signer(): OfflineSigner {
    const passphrase = () => Promise.resolve(readFileSync(this.passphraseFile, 'utf8'));
    this.#signer ??= new OfflineSigner(new KeyFolder(join(this.folder, 'keys')), passphrase);
    return this.#signer;
  }

  /** Signs what was uploaded by other means than `publish`. */
  async sign(file: PackageFile): Promise<void> {
    await signPackage((fn, args) => this.call(fn, args), this.signer, file);
  }

  /** Registers a host and makes its home with this release; `own` is what makes it differ from the others. */
  async addHost(
    id: string,
    version: string,
    home = join(this.folder, hostsFolder, id),
    own: { settings?: object; shell?: string[] } = {},
  ): Promise<AgentProcess> {
    const from = { config: this.operatorConfig, timeout: 60, package: await this.build(version) };
    await addHostHere({ ...from, home }, id); // what `mega host add` runs, without a process for each
    const config = homeAt(home).config;
    const settings = { heartbeatMs: 1_000, reconnectMs: 500, arbitrationMs: 3_000, ...this.#options.agent };
    const usual = JSON.parse(readFileSync(config, 'utf8')) as object;
    writeFileSync(config, JSON.stringify({ ...usual, ...settings, ...own.settings }));
    const agent = new AgentProcess(id, homeAt(home), own.shell, this.mark);
    this.#opened.defer(() => agent.retire());
    this.#opened.defer(() => this.#management.deleteUser(id).then(() => undefined));
    return agent;
  }

  /** Adds and starts many hosts; resolves when the dispatcher has heard all of them. */
  async addFleet(ids: string[], version: string): Promise<AgentProcess[]> {
    const agents: AgentProcess[] = [];
    for (const id of ids) {
      agents.push(await this.addHost(id, version));
      await agents.at(-1)?.start();
    }
    await this.untilOnline(ids);
    return agents;
  }

  async untilOnline(ids: string[]): Promise<void> {
    const areOnline = async () => {
      const hosts = await this.call<{ id: string; online: boolean }[]>('get_all_server');
      return ids.every((id) => hosts.some((host) => host.id === id && host.online));
    };
    await until(`hosts online: ${ids.join(' ')}`, areOnline, { signal: this.#options.signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** How the broker is reached over TLS, if this world is to. Error: where it has none. */
  get #tls(): RabbitMq['tls'] {
    if (!this.#options.tls) return undefined;
    const { tls } = this.servers.rabbitmq;
    if (tls === undefined) throw new Error('these servers have no TLS that we know of');
    return tls;
  }

  async #setUp(): Promise<void> {
    const secret = (name: string, text: string) => {
      const path = join(this.folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const { amqpPort, managementUrl } = this.servers.rabbitmq;
    secret(managementFile, managementUrl);
    const tls = this.#tls;
    const management = secret('setup.url', tls?.managementUrl ?? managementUrl);
    const database = secret('database.url', `${this.databaseUrl}${tls ? '?tls=on' : ''}`);
    secret('passphrase', randomBytes(16).toString('hex'));
    const users = ['--vhost', this.name, '--dispatcher-user', `mega_${this.name}`, '--operator', this.name];
    // A broker without statistics does not tell its ports.
    const port = tls ? ['--tls-port', String(tls.port), '--ca', tls.ca] : ['--port', String(amqpPort)];
    const files = [
      '--management-url-file',
      management,
      '--database-url-file',
      database,
      '--out',
      this.folder,
    ];
    this.#opened.defer(() => removeFromServers(this.servers, this.folder, this.name));
    await this.mega('setup', ...files, ...users, ...port);
    const config = JSON.parse(readFileSync(this.dispatcherConfig, 'utf8')) as object;
    const quick = { offlineAfterMs: 5_000, lostGraceMs: 20_000, logLevel: 'info' };
    writeFileSync(
      this.dispatcherConfig,
      JSON.stringify({ ...config, ...quick, ...this.#options.dispatcher }),
    );
  }
}
