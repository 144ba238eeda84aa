import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type CertificateFiles, giveCertificate } from './certificate.ts';
import { retryWhenPortTaken } from './failure.ts';
import { createFolder, folderVariable, removeFolder } from './folder.ts';
import { freePorts, type PortPicker } from './ports.ts';
import { type ServerProcess, startProcess, untilReady } from './process.ts';

export type RabbitMq = {
  amqpPort: number;
  /** http://admin:SECRET@127.0.0.1:PORT */
  managementUrl: string;
  /** How it is reached over TLS; a broker of the user's own has none that we know of. */
  tls?: { port: number; managementUrl: string; ca: string } | undefined;
  /** Stops in order; the data stay. */
  stop(): Promise<void>;
  /** SIGKILL; what was on the disk stays. */
  kill(): Promise<void>;
  /** Starts again on the same ports and data. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
} & AsyncDisposable;

export type ServerOptions = {
  /** The server lives in a new folder inside this one, removed at the end. */
  folder: string;
  log?: ((line: string) => void) | undefined;
  pickPorts?: PortPicker | undefined;
};

export type RabbitMqOptions = ServerOptions & {
  /** The path of a rabbitmq.conf whose settings hold where ours (ports, login, logs) say nothing. */
  config?: string | undefined;
};

/** The one that runs as any user; the wrapper in /usr/sbin insists on the user rabbitmq. */
const program = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const probeTimeoutMs = 2_000;

/** A throwaway broker with the management plugin, on loopback only. */
export async function startRabbitMq(options: RabbitMqOptions): Promise<RabbitMq> {
  const began = performance.now();
  const rabbitmq = await retryWhenPortTaken(() => startOnce(options));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  options.log?.(`RabbitMQ is ready on port ${rabbitmq.amqpPort} (${seconds} s)`);
  return rabbitmq;
}

async function startOnce(options: RabbitMqOptions): Promise<RabbitMq> {
  const { folder: parent, pickPorts = freePorts, config } = options;
  const [amqp = 0, management = 0, distribution = 0, epmd = 0, amqps = 0, https = 0] = await pickPorts(6);
  const ports = { amqp, management, distribution, epmd, amqps, https };
  const folder = await createFolder(parent, 'rabbitmq');
  const secret = randomBytes(18).toString('hex');
  const rabbitmq = new PrivateRabbitMq(folder, ports, secret, await giveCertificate(folder), config);
  try {
    await rabbitmq.create();
    await rabbitmq.start();
    return rabbitmq;
  } catch (error) {
    await rabbitmq[Symbol.asyncDispose]();
    throw error;
  }
}

type Ports = Record<'amqp' | 'management' | 'distribution' | 'epmd' | 'amqps' | 'https', number>;

/** Two processes: a port mapper of its own (an Erlang node needs one) and the broker. */
class PrivateRabbitMq implements RabbitMq {
  readonly amqpPort: number;
  readonly managementUrl: string;
  readonly tls: NonNullable<RabbitMq['tls']>;
  readonly #certificate: CertificateFiles;
  readonly #folder: string;
  readonly #ports: Ports;
  readonly #secret: string;
  readonly #node: string;
  readonly #config: string | undefined;
  #epmd: ServerProcess | undefined;
  #broker: ServerProcess | undefined;

  constructor(folder: string, ports: Ports, secret: string, certificate: CertificateFiles, config?: string) {
    this.amqpPort = ports.amqp;
    const managementUrl = `https://admin:${secret}@127.0.0.1:${ports.https}`;
    this.tls = { port: ports.amqps, managementUrl, ca: certificate.ca };
    this.#certificate = certificate;
    this.managementUrl = `http://admin:${secret}@127.0.0.1:${ports.management}`;
    this.#folder = folder;
    this.#ports = ports;
    this.#secret = secret;
    this.#config = config;
    this.#node = `mega${ports.amqp}@localhost`;
  }

  async create(): Promise<void> {
    const settings = [
      `listeners.tcp.1 = 127.0.0.1:${this.#ports.amqp}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${this.#ports.management}`,
      `listeners.ssl.1 = 127.0.0.1:${this.#ports.amqps}`,
      ...this.#tlsSettings('ssl_options'),
      'ssl_options.verify = verify_none',
      'management.ssl.ip = 127.0.0.1',
      `management.ssl.port = ${this.#ports.https}`,
      ...this.#tlsSettings('management.ssl'),
      'default_user = admin',
      `default_pass = ${this.#secret}`,
      'disk_free_limit.absolute = 50MB',
      'log.console = true',
      'log.file = false',
    ];
    const given = this.#config === undefined ? '' : await readFile(this.#config, 'utf8');
    await writeFile(join(this.#folder, 'rabbitmq.conf'), given);
    await mkdir(join(this.#folder, 'conf.d')); // read after the main file, so that it wins
    await writeFile(join(this.#folder, 'conf.d/own.conf'), `${settings.join('\n')}\n`, { mode: 0o600 });
    await writeFile(join(this.#folder, 'enabled_plugins'), '[rabbitmq_management].\n');
    await writeFile(join(this.#folder, 'environment'), '');
  }

  async start(): Promise<void> {
    if (this.#broker !== undefined) throw new Error('this RabbitMQ has been started already');
    try {
      await this.#startProcesses();
      await untilReady({
        what: 'RabbitMQ',
        processes: [this.#epmd!, this.#broker!],
        logFile: this.#logFile,
        isReady: async () => (await this.#managementAnswers()) && (await this.#listens()),
      });
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  stop(): Promise<void> {
    this.resume();
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  pause(): void {
    this.#broker?.signal('SIGSTOP');
  }

  resume(): void {
    this.#broker?.signal('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await removeFolder(this.#folder);
  }

  get #logFile(): string {
    return join(this.#folder, 'server.log');
  }

  async #startProcesses(): Promise<void> {
    const common = { cwd: this.#folder, logFile: this.#logFile, env: this.#environment() };
    // Without -d it would not say that it ends because its port is taken.
    const epmdArgs = ['-d', '-port', String(this.#ports.epmd), '-address', '127.0.0.1'];
    this.#epmd = await startProcess({ ...common, command: 'epmd', args: epmdArgs });
    await untilReady({
      what: 'epmd',
      processes: [this.#epmd],
      logFile: this.#logFile,
      isReady: () => canConnect(this.#ports.epmd),
    });
    this.#broker = await startProcess({ ...common, command: program, args: [] });
  }

  /** The listener for TLS comes last. */
  async #listens(): Promise<boolean> {
    return (await amqpAnswers(this.amqpPort)) && (await canConnect(this.#ports.amqps));
  }

  #tlsSettings(prefix: string): string[] {
    const { ca, certificate, key } = this.#certificate;
    return [
      `${prefix}.cacertfile = ${ca}`,
      `${prefix}.certfile = ${certificate}`,
      `${prefix}.keyfile = ${key}`,
    ];
  }

  /** The broker first: it says goodbye to the port mapper. */
  async #end(signal: NodeJS.Signals): Promise<void> {
    await this.#broker?.end(signal);
    await this.#epmd?.end('SIGKILL');
    this.#broker = undefined;
    this.#epmd = undefined;
  }

  /** Nothing of ours, of the user's or of the system's settings goes in: only what stands here. */
  #environment(): Record<string, string> {
    const folder = this.#folder;
    return {
      [folderVariable]: folder,
      PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: 'C.UTF-8',
      HOME: folder,
      ERL_CRASH_DUMP_BYTES: '0',
      ERL_EPMD_PORT: String(this.#ports.epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      // Otherwise any Erlang program here would start a daemon epmd when it finds none, and leave it behind.
      ERL_AFLAGS: '-start_epmd false',
      // Makes the script become the broker (exec), so that the id of the one is that of the other.
      RUNNING_UNDER_SYSTEMD: 'true',
      RABBITMQ_NODENAME: this.#node,
      RABBITMQ_DIST_PORT: String(this.#ports.distribution),
      RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_CONFIG_FILES: join(folder, 'conf.d'),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
      RABBITMQ_CONF_ENV_FILE: join(folder, 'environment'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}',
    };
  }

  /** Our secret and our node's name: another server that sits on the port does not pass for ours. */
  async #managementAnswers(): Promise<boolean> {
    try {
      const overview = await readOverview(this.managementUrl);
      return overview.node === this.#node;
    } catch {
      return false;
    }
  }
}

export type Overview = { node?: string; listeners?: { protocol: string; port: number }[] };

export async function readOverview(managementUrl: string): Promise<Overview> {
  const url = new URL('api/overview', `${managementUrl.replace(/\/$/, '')}/`);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  const response = await fetch(url, {
    headers: { connection: 'close', authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    signal: AbortSignal.timeout(probeTimeoutMs),
  });
  if (!response.ok) throw new Error(`${url.href} answered ${response.status}`);
  return (await response.json()) as Overview;
}

const protocolHeader = Buffer.from('AMQP\0\0\x09\x01', 'latin1');
const methodFrame = 1;

/** AMQP 0-9-1, 4.2.2: the server answers the protocol header with Connection.Start, a method frame. */
async function amqpAnswers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  socket.write(protocolHeader);
  try {
    const [data]: Buffer[] = await once(socket, 'data', { signal: AbortSignal.timeout(probeTimeoutMs) });
    return data?.[0] === methodFrame;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(probeTimeoutMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
