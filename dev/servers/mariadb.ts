import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { type CertificateFiles, giveCertificate } from './certificate.ts';
import { retryWhenPortTaken, startFailure } from './failure.ts';
import { createFolder, folderVariable, removeFolder } from './folder.ts';
import { freePorts } from './ports.ts';
import { type ServerProcess, startProcess, untilReady } from './process.ts';
import type { ServerOptions } from './rabbitmq.ts';

export type MariaDb = {
  /** mysql://root:SECRET@127.0.0.1:PORT */
  url: string;
  /** The certificate (a file) of the CA that it is verified by over TLS, on the same port; unknown for a user's own. */
  ca?: string | undefined;
  /** Stops in order; the data stay. */
  stop(): Promise<void>;
  /** SIGKILL; what was on the disk stays. */
  kill(): Promise<void>;
  /** Starts again on the same port and data. */
  start(): Promise<void>;
} & AsyncDisposable;

export type MariaDbOptions = ServerOptions & {
  /** More of the server's arguments, such as `--innodb-buffer-pool-size=4G`; they win over ours. */
  arguments?: string[] | undefined;
};

const probeTimeoutMs = 2_000;

/** A throwaway database server on loopback only, durable as in production: each commit reaches the disk. */
export async function startMariaDb(options: MariaDbOptions): Promise<MariaDb> {
  const began = performance.now();
  const mariadb = await retryWhenPortTaken(() => startOnce(options));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  options.log?.(`MariaDB is ready on port ${new URL(mariadb.url).port} (${seconds} s)`);
  return mariadb;
}

async function startOnce(options: MariaDbOptions): Promise<MariaDb> {
  const { folder: parent, pickPorts = freePorts, arguments: more = [] } = options;
  const [port] = await pickPorts(1);
  const folder = await createFolder(parent, 'mariadb');
  const secret = randomBytes(18).toString('hex');
  const mariadb = new PrivateMariaDb(folder, port!, secret, await giveCertificate(folder), more);
  try {
    await mariadb.create();
    await mariadb.start();
    await mariadb.forgetSecret();
    return mariadb;
  } catch (error) {
    await mariadb[Symbol.asyncDispose]();
    throw error;
  }
}

class PrivateMariaDb implements MariaDb {
  readonly url: string;
  readonly ca: string;
  readonly #certificate: CertificateFiles;
  readonly #folder: string;
  readonly #port: number;
  readonly #secret: string;
  readonly #more: string[];
  #server: ServerProcess | undefined;

  constructor(folder: string, port: number, secret: string, certificate: CertificateFiles, more: string[]) {
    this.ca = certificate.ca;
    this.#certificate = certificate;
    this.url = `mysql://root:${secret}@127.0.0.1:${port}`;
    this.#folder = folder;
    this.#port = port;
    this.#secret = secret;
    this.#more = more;
  }

  async create(): Promise<void> {
    await mkdir(join(this.#folder, 'tmp'));
    await this.#installSystemTables();
    // One statement a line. The secret is not on a command line, where every user of the machine could read it.
    const statements = [
      `DELETE FROM mysql.global_priv WHERE User = 'root';`,
      'FLUSH PRIVILEGES;',
      `CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '${this.#secret}';`,
      `GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;`,
    ];
    await writeFile(this.#initFile, `${statements.join('\n')}\n`, { mode: 0o600 });
  }

  /** Called once the server has read it. */
  async forgetSecret(): Promise<void> {
    await rm(this.#initFile);
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) throw new Error('this MariaDB has been started already');
    const command = findProgram('mariadbd', 'mysqld');
    this.#server = await startProcess({ ...this.#common, command, args: this.#arguments() });
    try {
      await untilReady({
        what: 'MariaDB',
        processes: [this.#server],
        logFile: this.#common.logFile,
        isReady: () => this.#answers(),
      });
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await removeFolder(this.#folder);
  }

  get #initFile(): string {
    return join(this.#folder, 'init.sql');
  }

  get #common() {
    const folder = this.#folder;
    // Each with a folder of its own for what is temporary: a MariaDB that starts clears away others' files there.
    const TMPDIR = join(folder, 'tmp');
    const env = { [folderVariable]: folder, PATH: searchPath(), LANG: 'C.UTF-8', HOME: folder, TMPDIR };
    return { cwd: folder, logFile: join(folder, 'server.log'), env };
  }

  /**
   * Without --user, even as root: with it the script changes the owner of the system's PAM helper in
   * /usr/lib/mysql/plugin, and stumbles over spaces in the path.
   */
  async #installSystemTables(): Promise<void> {
    const args = [
      '--no-defaults',
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-log-file-size=16M',
      `--datadir=${join(this.#folder, 'data')}`,
    ];
    const command = findProgram('mariadb-install-db', 'mysql_install_db');
    const install = await startProcess({ ...this.#common, command, args });
    if ((await install.exited) !== 0) throw await startFailure(command, 'ended', this.#common.logFile);
  }

  #arguments(): string[] {
    const init = existsSync(this.#initFile) ? [`--init-file=${this.#initFile}`] : [];
    return [
      '--no-defaults',
      // A server started by root says so, or refuses.
      ...(process.getuid?.() === 0 ? ['--user=root'] : []),
      `--datadir=${join(this.#folder, 'data')}`,
      `--tmpdir=${join(this.#folder, 'tmp')}`,
      `--port=${this.#port}`,
      '--bind-address=127.0.0.1',
      // No unix socket: its path may be 107 bytes long, a checkout's may be longer.
      '--socket=',
      `--ssl-ca=${this.#certificate.ca}`,
      `--ssl-cert=${this.#certificate.certificate}`,
      `--ssl-key=${this.#certificate.key}`,
      '--skip-name-resolve',
      '--skip-log-bin',
      '--character-set-server=utf8mb4',
      '--innodb-flush-log-at-trx-commit=1',
      '--innodb-buffer-pool-size=64M',
      '--innodb-log-file-size=16M',
      ...this.#more,
      ...init,
    ];
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    await this.#server?.end(signal);
    this.#server = undefined;
  }

  /** Logs in: another server that sits on the port does not pass for ours. */
  async #answers(): Promise<boolean> {
    try {
      const connection = await createConnection({ uri: this.url, connectTimeout: probeTimeoutMs });
      await connection.end();
      return true;
    } catch {
      return false;
    }
  }
}

/** Servers live in /usr/sbin, which is not on the PATH of an ordinary user. */
function searchPath(): string {
  return [process.env.PATH, '/usr/sbin', '/usr/bin', '/sbin', '/bin'].filter(Boolean).join(delimiter);
}

function findProgram(...names: string[]): string {
  for (const name of names) {
    for (const folder of searchPath().split(delimiter)) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  throw new Error(`${names[0]} was not found; run: sh dev/setup.sh`);
}
